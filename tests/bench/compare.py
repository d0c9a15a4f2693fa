"""``python -m tests.bench.compare OTHER_CHECKOUT``: alternates this checkout's server, another's and the floor.

Each checkout is run by its own ``.venv`` and its own ``deploy/gunicorn.conf.py``. Prints medians over the rounds.
"""

import argparse
import os
import sys
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.ingest import BATCH, FLOOR, Runs, median, ratio, run, serving

LOADS = {"16 clients": (16, 1), "64 clients": (64, 1), f"16 clients, batches of {BATCH}": (16, BATCH)}
"""Number of clients, and of events in a request."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.compare", description=__doc__)
    parser.add_argument("other", type=Path, help="the checkout to compare with, which has a .venv")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with TemporaryDirectory(prefix="payments-bench-", dir=os.environ.get("TMPDIR")) as folder:
        measured = _measure(Path(folder), options.other.resolve(), options.seconds, options.rounds)
    sys.stdout.write(f"{'':28}      events/s   p99/ms  CPU/µs   of other's  of the floor's\n")
    for (load, name), runs in measured.items():
        rate, p99_ms, cpu_us = median(runs)
        # The floor takes no batches; batches are compared with its single events.
        floor = measured.get((load, "floor")) or measured["16 clients", "floor"]
        of_other = ratio(runs, measured[load, "other"])
        sys.stdout.write(
            f"{load:28} {name:5} {rate:8.0f} {p99_ms:8.1f} {cpu_us:7.0f} {of_other:12.2f} {ratio(runs, floor):15.2f}\n"
        )
    return 0


def _measure(folder: Path, other_tree: Path, seconds: float, rounds: int) -> dict[tuple[str, str], Runs]:
    measured = defaultdict(list)
    with (
        serving(folder / "other", tree=other_tree) as other,
        serving(folder / "this") as this,
        serving(folder / "floor", app=FLOOR) as floor,
    ):
        for _ in range(rounds):
            for load, (clients, batch) in LOADS.items():
                for name, server in {"other": other, "this": this, "floor": floor}.items():
                    if server is not floor or batch == 1:
                        measured[load, name].append(run(server, seconds, clients, batch=batch))
    return dict(measured)


if __name__ == "__main__":
    sys.exit(main())
