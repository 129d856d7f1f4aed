"""`.env`: variables of the settings, where Dagster looks for them and beside the settings."""

from __future__ import annotations

from pathlib import Path

import click
from dotenv import load_dotenv


def load_env_files() -> None:
    """Read `.env` of the working directory, as Dagster does, and the one beside the settings.

    What the environment has already wins; the first file may name the settings.

    Raises:
        click.ClickException: a file is there and cannot be read.
    """
    from hex_assets.settings import config_path

    _load(Path(".env"))
    _load(config_path().parent / ".env")


def _load(path: Path) -> None:
    if not path.is_file():
        return
    try:
        load_dotenv(path, override=False)
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{path} cannot be read: {error}") from None
