"""Measure every figure, print a table, write JSON."""

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from tests.bench import files, ingest


class Size(NamedTuple):
    """How much is measured."""

    seconds: float
    rounds: int
    many: int
    entries: int
    projecting_s: float


FULL = Size(seconds=3, rounds=5, many=100_000, entries=1_000_000, projecting_s=60)
QUICK = Size(seconds=1, rounds=1, many=3_000, entries=10_000, projecting_s=3)


class Figure(NamedTuple):
    """One line of the table; ``at_most``: whether ``goal`` is a ceiling rather than a floor."""

    name: str
    value: float
    unit: str
    goal: float
    at_most: bool = False

    @property
    def is_reached(self) -> bool:
        return self.value <= self.goal if self.at_most else self.value >= self.goal


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds of everything: do the measurements work?")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where the JSON goes (bench.json)")
    options = parser.parse_args()
    size = QUICK if options.quick else FULL
    begun_s = time.monotonic()
    with TemporaryDirectory(prefix="payments-bench-", dir=os.environ.get("TMPDIR")) as folder:
        figures, details = _measure(Path(folder), size)
    details["took_s"] = time.monotonic() - begun_s
    _print_table(figures, details)
    document = {"figures": [{**figure._asdict(), "reached": figure.is_reached} for figure in figures], **details}
    options.json.write_text(json.dumps(document, indent=2) + "\n")
    return 0


def _measure(folder: Path, size: Size) -> tuple[list[Figure], dict[str, Any]]:
    seen = ingest.measure(folder, size.many, size.seconds, size.rounds)
    share = files.projections_share(folder / "many" / "data", size.projecting_s)
    fairness = files.fairness(folder / "fair", size.seconds)
    opened = files.opening(folder / "long", size.entries, ingest.FEW)
    p99 = seen.single_half.p99_ms / seen.null_half.p99_ms
    many, entries = f"{size.many:,} sessions", f"start with {size.entries:,} entries"
    figures = [
        Figure("single events, ratio to null", seen.single_ratio, "", 0.60),
        Figure(f"the same with {many}, ratio to 1,000", seen.many_ratio, "", 0.90),
        Figure("batches of 100, events/s over null's requests/s", seen.batch_ratio, "", 8),
        Figure("p99 at half the peak rate, ratio to null's", p99, "", 3, at_most=True),
        Figure("4 processes: most over least served", fairness, "", 1.5, at_most=True),
        Figure(f"{entries}, with a snapshot", opened.with_snapshot_s, "s", 2, at_most=True),
        Figure(f"{entries}, without", opened.without_s, "s", 15, at_most=True),
        Figure("memory of a worker per live session", seen.bytes_per_session / 1024, "KiB", 2, at_most=True),
        Figure(f"projections with {many}, share of the time", share * 100, "%", 5, at_most=True),
    ]
    runs = {name: value._asdict() for name, value in seen._asdict().items() if isinstance(value, ingest.Run)}
    return figures, {"runs": runs, "cores": os.cpu_count(), "python": platform.python_version(), "size": size._asdict()}


def _print_table(figures: list[Figure], details: dict[str, Any]) -> None:
    for name, run in details["runs"].items():
        _say(
            f"{name:12} {run['rate']:8.0f} requests/s   p99 {run['p99_ms']:7.2f} ms   CPU {run['cpu_us']:6.0f} µs each"
        )
    _say("")
    for figure in figures:
        goal = f"{'at most' if figure.at_most else 'at least'} {figure.goal:g}"
        verdict = "" if figure.is_reached else "  NOT REACHED"
        _say(f"{figure.name:52} {figure.value:8.2f} {figure.unit:4} ({goal}){verdict}")
    _say(f"\n{details['cores']} cores, Python {details['python']}, {details['took_s']:.0f} s")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
