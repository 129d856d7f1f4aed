"""Reads heavy texts in a process of its own, which is ended when its time is over.

sqlglot's compiled parser cannot be interrupted from within its process, and a text that nests
deeply enough overflows its stack. So the operating system ends the worker (a timer of processor
time that no Python code handles), and a new one starts for the next heavy text. The worker ends
when its input does, so it never outlives its parent by more than the limit of one text.
"""

from __future__ import annotations

import atexit
import os
import pickle
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import IO, Any

from hex_assets.lineage.model import SchemaProvider, StatementLineage

CPU_SECONDS = 1.3
"""Of the worker, for one text. The engine's own limit is lower: it then gives what it has."""
WALL_SECONDS = 30.0 if hasattr(signal, "setitimer") else 2.0
"""A worker that does not even get a processor, and the limit where there is no timer."""
MEMORY_BYTES = 3 * 1024**3
STACK_BYTES = 512 * 1024**2
"""Reserved, not used: the system gives pages only as the recursion reaches them."""
RECURSION_LIMIT = 30_000
# Not -m: that would put the working directory, with whatever lies there, before the libraries.
_START = """\
import sys; sys.path[:] = sys.argv[1:]
from hex_assets.lineage.engine import worker; worker.main()
"""


class GivenUp(Exception):
    """A text was not read to its end; the message says why."""


@dataclass(frozen=True)
class _Asked:
    sql: str
    dialect: str
    has_schema: bool
    home: tuple[str, ...]


class Worker:
    """One process at a time, started when it is first needed; for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def read(
        self, sql: str, dialect: str, schema: SchemaProvider | None, home: tuple[str, ...] = ()
    ) -> StatementLineage:
        """The lineage of a text, read in the worker.

        Raises:
            GivenUp: its time is over, it ended, or it cannot be started.
        RuntimeError: the engine failed.
        """
        with self._lock:
            try:
                send, receive = self._pipes()
            except OSError as error:
                raise GivenUp(f"no process could be started for it: {error}") from error
            assert self._process is not None
            process = self._process
            timer = threading.Timer(WALL_SECONDS, process.kill)
            timer.daemon = True
            timer.start()
            whole = False
            try:
                _put(send, _Asked(sql, dialect, schema is not None, home))
                while True:
                    kind, value = pickle.load(receive)
                    if kind != "columns_of":
                        break
                    _put(send, schema.columns_of(value) if schema is not None else None)
                whole = True
            except (EOFError, OSError, pickle.UnpicklingError) as error:
                raise GivenUp(self._end()) from error
            finally:
                timer.cancel()
                if not whole:
                    self._end()
        if kind == "given_up":
            raise GivenUp(value)
        if kind == "failed":
            raise RuntimeError(value)
        found: StatementLineage = value
        return found

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        if self._process is None or self._process.poll() is not None:
            path = [entry or os.getcwd() for entry in sys.path]
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _START, *path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            atexit.register(self.close)
        assert self._process.stdin is not None and self._process.stdout is not None
        return self._process.stdin, self._process.stdout

    def _end(self) -> str:
        """Ends the process; what is to be said of the text."""
        process, self._process = self._process, None
        if process is None:
            return "its process ended"
        process.kill()
        _close(process)
        code = process.wait()
        if code == -getattr(signal, "SIGPROF", 0) or code == -getattr(signal, "SIGKILL", 0):
            return f"it took over {CPU_SECONDS:g} s"
        return f"its process ended with code {code}"

    def close(self) -> None:
        """Ends the process, if there is one of this process's own."""
        atexit.unregister(self.close)
        with self._lock:
            self._end()

    def forget(self) -> None:
        """Leaves the process to the parent, after a fork."""
        self._lock = threading.Lock()
        process, self._process = self._process, None
        if process is not None:
            process.returncode = 0  # not this process's to wait for
            _close(process)


def _close(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:  # a pipe that broke holds what could not be sent
                continue


WORKER = Worker()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=WORKER.forget)


class _AskingSchema:
    """The parent's catalog."""

    def __init__(self, send: IO[bytes], receive: IO[bytes]) -> None:
        self.send = send
        self.receive = receive

    def columns_of(self, parts: tuple[str, ...]) -> tuple[str, ...] | None:
        """Asks the parent."""
        _put(self.send, ("columns_of", parts))
        columns: tuple[str, ...] | None = pickle.load(self.receive)
        return columns


def _put(pipe: IO[bytes], value: Any) -> None:
    pickle.dump(value, pipe, protocol=pickle.HIGHEST_PROTOCOL)
    pipe.flush()


def main() -> None:
    """The worker: reads texts from stdin until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    if hasattr(signal, "SIGPROF"):
        signal.signal(signal.SIGPROF, signal.SIG_DFL)  # ends the process
    send, receive = os.fdopen(os.dup(1), "wb"), sys.stdin.buffer
    os.dup2(2, 1)  # nothing that is printed may get between the answers
    _limit_memory()
    sys.setrecursionlimit(RECURSION_LIMIT)
    threading.stack_size(STACK_BYTES)
    thread = threading.Thread(target=_serve, args=(send, receive))
    thread.start()
    thread.join()


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def _serve(send: IO[bytes], receive: IO[bytes]) -> None:
    from hex_assets.lineage.engine.read_text import read_to_the_end

    while True:
        try:
            asked: _Asked = pickle.load(receive)
        except EOFError:
            return
        schema = _AskingSchema(send, receive) if asked.has_schema else None
        _arm(CPU_SECONDS)
        answer: tuple[str, object]
        try:
            answer = "found", read_to_the_end(asked.sql, asked.dialect, schema, asked.home)
        except (RecursionError, MemoryError) as error:
            answer = "given_up", f"it is nested too deeply: {type(error).__name__}"
        except Exception as error:  # the parent reports it as it does its own
            answer = "failed", repr(error)
        _arm(0)
        _put(send, answer)


def _arm(seconds: float) -> None:
    """The system ends this process when it has used so much processor time; 0: no limit."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)
