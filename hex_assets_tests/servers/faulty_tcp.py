"""A loopback TCP proxy that cuts the connection after so many bytes of an answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def cutting_proxy(upstream_port: int, byte_count: int) -> Iterator[int]:
    """Forward every connection, and end each when the server has sent `byte_count`."""
    listener = socket.create_server(("127.0.0.1", 0))

    def copy(source: socket.socket, target: socket.socket, left: float) -> None:
        try:
            while left > 0 and (data := source.recv(16_384)):
                target.sendall(data)
                left -= len(data)
        except OSError:
            pass  # the other direction has ended the connection
        for side in (source, target):
            try:
                side.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it is closed already

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", upstream_port))
            for parts in ((client, server, float("inf")), (server, client, byte_count)):
                threading.Thread(target=copy, args=parts, daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)
