"""CPU seconds to load the code location, beside `import dagster` alone, in one run.

    python benchmarks/load_definitions.py [--runs N]

Each run is a fresh interpreter; user and system time of the child, medians and their ratio.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys

CASES = {
    "import dagster": "import dagster",
    "load definitions": "import hex_assets.definitions as d; d.defs.get_repository_def()",
}


def cpu_seconds(code: str) -> float:
    """User and system seconds of one fresh interpreter."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, env=os.environ)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    measured: dict[str, list[float]] = {name: [] for name in CASES}
    for code in CASES.values():
        cpu_seconds(code)  # compiles and warms the file cache
    for _ in range(runs):
        for name, code in CASES.items():
            measured[name].append(cpu_seconds(code))
    medians = {name: statistics.median(values) for name, values in measured.items()}
    for name, median in medians.items():
        print(f"{name:<18} {median:6.2f} s CPU (median of {runs})")
    base, ours = medians.values()
    print(f"{'ratio':<18} {ours / base:6.2f}")


if __name__ == "__main__":
    main()
