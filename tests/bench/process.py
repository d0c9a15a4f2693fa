"""One of the processes that the bench starts: ``open FOLDER``, or ``share``, ``project FOLDER BEGIN SECONDS``.

``share`` prints how many commands it got through; ``project`` the share of the time that went into projections.
"""

import random
import sys
import threading
import time
from pathlib import Path

from payments.clock import now_ms
from payments.disk import Disk
from payments.domain.sessions import HEARTBEAT
from payments.store.file import snapshot as engine
from payments.store.file.snapshot import Paths, Snapshot
from payments.store.file.store import FileStore
from tests.harness import event, file_store, state_of

THREADS = 4


def main(kind: str, folder: Path, begin_s: float = 0, seconds: float = 0) -> None:
    writes: list[tuple[float, float]] = []
    if kind == "project":
        _time_the_writes(writes)
    store = file_store(folder)
    if kind == "open":
        return
    time.sleep(max(0.0, begin_s - time.time()))
    until_s = time.monotonic() + seconds
    if kind == "share":
        sys.stdout.write(f"{_report(store, until_s)}\n")
        return
    begun_s = time.monotonic()
    threads = [threading.Thread(target=_report, args=(store, until_s)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    within = [length for begin, length in writes if begun_s <= begin]
    # From the first write to the last: whole cycles of writing and of waiting.
    starts = [begin for begin, _ in writes if begun_s <= begin]
    cycles_s = starts[-1] - starts[0] if len(starts) > 1 else seconds
    sys.stdout.write(f"{sum(within[:-1]) / cycles_s if len(within) > 1 else sum(within) / seconds}\n")


def _report(store: FileStore, until_s: float) -> int:
    sessions = list(state_of(store).sessions) or [f"s-{number}" for number in range(1000)]
    count = 0
    while time.monotonic() < until_s:
        store.execute([event(random.choice(sessions), HEARTBEAT, now_ms())])
        count += 1
    return count


def _time_the_writes(writes: list[tuple[float, float]]) -> None:
    """Note when each write of the projections began, and how much of a processor it took."""
    write = engine.write

    def timed(disk: Disk, paths: Paths, snapshot: Snapshot, credit_unit: str) -> None:
        begun_s, spent_s = time.monotonic(), time.thread_time()
        write(disk, paths, snapshot, credit_unit)
        writes.append((begun_s, time.thread_time() - spent_s))

    engine.write = timed


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *map(float, sys.argv[3:]))
