"""``python -m tests.bench.spool [FOLDER]``: cost of a spool for 2,000 viewers on the disk of FOLDER.

Each turn writes and syncs a second's heartbeats. First all are delivered in between; then Payments is away for so
long that heartbeats have to be dropped.
"""

import resource
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from payments.domain.sessions import HEARTBEAT, START
from payments.edge.events import SessionLabels, SpooledEvent
from payments.edge.spool import Spool
from tests.edge.spools import deliver_all
from tests.harness import HOST_A, NOON_MS

VIEWERS, HEARTBEAT_S, SPOOL_BYTES = 2000, 15, 64 << 20


def turns_ms(spool: Spool, last: list[SpooledEvent], seconds: range, *, delivered: bool) -> list[float]:
    """Duration of each turn, in order."""
    taken_ms = []
    for second in seconds:
        events = []
        for number in range(second % HEARTBEAT_S, VIEWERS, HEARTBEAT_S):
            before = last[number]
            last[number] = SpooledEvent(before.labels, HEARTBEAT, before.seq + 1, NOON_MS + second * 1000, str(uuid4()))
            events.append(last[number])
        begun_s = time.perf_counter()
        spool.add(events)
        spool.sync()
        taken_ms.append((time.perf_counter() - begun_s) * 1000)
        if delivered:
            deliver_all(spool)
    return taken_ms


def shown(name: str, taken_ms: list[float], spool: Spool) -> str:
    p50, p99, most = (sorted(taken_ms)[round((len(taken_ms) - 1) * share)] for share in (0.5, 0.99, 1))
    return (
        f"{name:9} a turn p50 {p50:.1f} ms, p99 {p99:.1f} ms, at most {most:.0f} ms; {spool.pending} pending, "
        f"{spool.dropped} dropped, {spool.size_bytes >> 20} MiB\n"
    )


def main() -> int:
    with TemporaryDirectory(prefix="payments-spool-", dir=sys.argv[1] if sys.argv[1:] else None) as name:
        spool = Spool(Path(name) / "spool", SPOOL_BYTES)
        spool.open()
        said = [SessionLabels(str(uuid4()), "edge-a", HOST_A, 8888, "streamer-1") for _ in range(VIEWERS)]
        last = [SpooledEvent(each, START, 1, NOON_MS, str(uuid4())) for each in said]
        spool.add(last)
        spool.sync()
        deliver_all(spool)
        sys.stdout.write(shown("delivered", turns_ms(spool, last, range(300), delivered=True), spool))
        sys.stdout.write(shown("away", turns_ms(spool, last, range(300, 2100), delivered=False), spool))
        spool.close()
    sys.stdout.write(f"memory    {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
