"""A spool without Payments: what would be sent, what is on disk, and what a sudden death leaves of it."""

from payments.edge.spool import Spool
from tests.edge.edge import EdgeLife
from tests.harness import NOON_MS

AWAY = "http://127.0.0.1:9"
"""Where nobody ever answers."""


def batch(life: EdgeLife) -> list[tuple[str, str, int]]:
    """What would be sent next: session, event and moment after the clock's begin; nothing comes of it."""
    events = life.spool.batch(1000)
    life.spool.settle(events, [], [])
    return [(each.session_id, each.kind, each.occurred_ms - NOON_MS) for each in events]


def deliver_all(spool: Spool) -> None:
    """Let all that is in it be delivered, to nobody."""
    while events := spool.batch(1000):
        spool.settle(events, events, [])


def die(life: EdgeLife) -> None:
    """What is left of a process that is killed: its files, and nobody's lock."""
    life.spool._database.close()
    life.spool._is_closed = True
    life.caller.close()
