"""`hex-assets demo`: the whole way once, on local stand-ins."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

import click
from rich.console import Console

from hex_assets.commands import output


@click.command()
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".demo"),
    show_default=True,
    help="Where tables, Dagster's history and the settings go.",
)
@click.option("--ui", is_flag=True, help="Then open the Dagster UI, with the servers running.")
@click.option("--serve", is_flag=True, help="Only run the servers, until Ctrl-C.")
@click.option("--port", default=3000, show_default=True, help="Port of the Dagster UI.")
def demo(folder: Path, ui: bool, serve: bool, port: int) -> None:
    """Run the main job on local stand-ins: a Hex API, ClickHouse and OpenMetadata.

    Needs no account and no network. Everything listens on 127.0.0.1 and ends with the command.
    """
    if find_spec("chdb") is None:
        raise click.ClickException(
            "the demo runs ClickHouse in chDB: pip install 'hex-assets[demo]'"
        )
    console = output.console()
    # SIGTERM unwinds like Ctrl-C, so that no server is left behind.
    signal.signal(signal.SIGTERM, _interrupt)
    # A shell starts background jobs with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    fresh = not (folder / "dagster_home").is_dir()
    if not ui and not serve:
        shutil.rmtree(folder, ignore_errors=True)
    try:
        from hex_assets.demo.servers import demo_servers

        console.print("Starting Hex, ClickHouse (chDB) and OpenMetadata on 127.0.0.1 ...")
        with demo_servers(folder) as servers:
            os.environ.update(servers.environment())
            if serve:
                _print_environment(console, servers.environment())
                threading.Event().wait()
            if not ui or fresh:
                from hex_assets.demo.tour import tour

                tour(servers, console)
            if ui:
                _dagster_dev(console, servers.folder, port)
    except KeyboardInterrupt:
        console.print("\nstopped; the servers are down")
        sys.exit(0 if ui or serve else 130)


def _print_environment(console: Console, environment: dict[str, str]) -> None:
    console.print("The servers run until Ctrl-C. In another terminal:\n")
    for name, value in environment.items():
        console.print(f"export {name}={value}", soft_wrap=True)
    console.print(
        "\ndagster asset materialize -m hex_assets.definitions "
        "--select '* and not group:publish' --partition YYYY-MM-DD",
        soft_wrap=True,
    )


def _dagster_dev(console: Console, folder: Path, port: int) -> None:
    console.print(
        f"\nThe Dagster UI comes up at http://127.0.0.1:{port} in about a minute; Ctrl-C ends it."
    )
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "dagster", "dev", "-m", "hex_assets.definitions"),
            *("--host", "127.0.0.1", "--port", str(port)),
        ],
        cwd=folder,
    )
    try:
        process.wait()
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
