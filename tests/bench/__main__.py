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

from tests.bench import files
from tests.bench.ingest import BATCH, CPU, FEW, FIRST, FLOOR, P99, Runs, median, memory_bytes, ratio, run, serving


class Size(NamedTuple):
    """Sizes and durations of the measurements."""

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
    runs, bytes_per_session = _ingest(folder, size)
    share = files.projections_share(folder / "many" / "data", size.projecting_s)
    fairness = files.fairness(folder / "fair", size.seconds)
    opened = files.opening(folder / "long", size.entries, FEW)
    few, many, entries = f"{FEW:,} sessions", f"{size.many:,} sessions", f"start with {size.entries:,} entries"
    figures = [
        Figure("16 clients, events/s over the floor's", ratio(runs["single"], runs["floor"]), "", 0.8),
        Figure("64 clients, events/s over the floor's", ratio(runs["single_64"], runs["floor_64"]), "", 0.8),
        Figure(f"16 clients, {many} over {few}", ratio(runs["many"], runs["single"]), "", 0.9),
        Figure(f"batches of {BATCH}, events/s over the floor's", ratio(runs["batch"], runs["floor"]), "", 10),
        Figure("64 clients, p99 over the floor's", ratio(runs["single_64"], runs["floor_64"], P99), "", 3, True),
        Figure(f"CPU per event, {FIRST} sessions over {few}", ratio(runs["first"], runs["single"], CPU), "", 1.1, True),
        Figure("4 processes: most over least served", fairness, "", 1.5, True),
        Figure(f"{entries}, with a snapshot", opened.with_snapshot_s, "s", 2, True),
        Figure(f"{entries}, without", opened.without_s, "s", 15, True),
        Figure("memory of a worker per live session", bytes_per_session / 1024, "KiB", 2, True),
        Figure(f"projections with {many}, share of a processor", share * 100, "%", 4, True),
    ]
    medians = {name: median(each)._asdict() for name, each in runs.items()}
    return figures, {"runs": medians, "cores": os.cpu_count(), "python": platform.python_version()}


def _ingest(folder: Path, size: Size) -> tuple[dict[str, Runs], float]:
    """Results of each load in every round, and memory for a session; leaves files of many sessions."""
    with (
        serving(folder / "floor", app=FLOOR) as floor,
        serving(folder / "first", FIRST) as first,
        serving(folder / "few") as few,
        serving(folder / "many", size.many) as many,
    ):
        # Alternate, because the machine's speed varies from minute to minute.
        rounds = [
            {
                "floor": run(floor, size.seconds),
                "single": run(few, size.seconds),
                "first": run(first, size.seconds, sessions=FIRST),
                "many": run(many, size.seconds, sessions=size.many),
                "batch": run(few, size.seconds, batch=BATCH),
                "floor_64": run(floor, size.seconds, 64),
                "single_64": run(few, size.seconds, 64),
            }
            for _ in range(size.rounds)
        ]
        bytes_per_session = (memory_bytes(many) - memory_bytes(few)) / (size.many - FEW)
    return {name: [each[name] for each in rounds] for name in rounds[0]}, bytes_per_session


def _print_table(figures: list[Figure], details: dict[str, Any]) -> None:
    for name, seen in details["runs"].items():
        _say(
            f"{name:12} {seen['rate']:8.0f} events/s   p99 {seen['p99_ms']:7.2f} ms   CPU {seen['cpu_us']:6.0f} µs each"
        )
    _say("")
    for figure in figures:
        goal = f"{'at most' if figure.at_most else 'at least'} {figure.goal:g}"
        verdict = "" if figure.is_reached else "  NOT REACHED"
        _say(f"{figure.name:56} {figure.value:8.2f} {figure.unit:4} ({goal}){verdict}")
    _say(f"\n{details['cores']} cores, Python {details['python']}, {details['took_s']:.0f} s")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
