"""A process of the bench: ``open FOLDER``, or ``share`` or ``project FOLDER BEGIN SECONDS``.

``share`` prints the number of executed commands; ``project`` the share of a processor spent on projections.
"""

import random
import sys
import threading
import time
from pathlib import Path

from payments.clock import now_ms
from payments.domain.sessions import HEARTBEAT
from payments.store.file.store import FileStore
from tests.harness import event, file_store, state_of, until

THREADS = 4


def main(kind: str, folder: Path, begin_s: float = 0, seconds: float = 0) -> None:
    store = file_store(folder)
    if kind == "open":
        return
    time.sleep(max(0.0, begin_s - time.time()))
    until_s = time.monotonic() + seconds
    if kind == "share":
        sys.stdout.write(f"{_report(store, until_s)}\n")
        return
    threads = [threading.Thread(target=_report, args=(store, until_s)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    sys.stdout.write(f"{_projecting(store, folder / 'sessions.json', until_s)}\n")
    for thread in threads:
        thread.join()


def _projecting(store: FileStore, path: Path, until_s: float) -> float:
    """Share of a processor that the projections' thread uses, over whole cycles of writing and waiting."""
    until(lambda: store._projector._thread is not None and store._projector._thread.is_alive())
    thread = store._projector._thread
    assert thread is not None
    assert thread.ident is not None
    clock = time.pthread_getcpuclockid(thread.ident)
    written: dict[int, tuple[float, float]] = {}
    while time.monotonic() < until_s:
        written.setdefault(path.stat().st_mtime_ns, (time.monotonic(), time.clock_gettime(clock)))
        time.sleep(0.01)
    # The first projections were written by another process.
    _, (begun_s, before_s), *_, (ended_s, after_s) = written.values()
    return (after_s - before_s) / (ended_s - begun_s)


def _report(store: FileStore, until_s: float) -> int:
    sessions = list(state_of(store).sessions) or [f"s-{number}" for number in range(1000)]
    count = 0
    while time.monotonic() < until_s:
        store.execute([event(random.choice(sessions), HEARTBEAT, now_ms())])
        count += 1
    return count


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *map(float, sys.argv[3:]))
