"""A spool without Payments: reads batches, delivers to nobody, and simulates a kill."""

from payments.edge.spool import Spool
from tests.edge.edge import EdgeLife
from tests.harness import NOON_MS

AWAY = "http://127.0.0.1:9"
"""An address where nobody answers."""


def batch(life: EdgeLife) -> list[tuple[str, str, int]]:
    """The next batch, not sent: session, event, and milliseconds since the clock's start."""
    events = life.spool.batch(1000)
    life.spool.settle(events, [], [])
    return [(each.session_id, each.kind, each.occurred_ms - NOON_MS) for each in events]


def deliver_all(spool: Spool) -> None:
    """Settle all events as delivered."""
    while events := spool.batch(1000):
        spool.settle(events, events, [])


def die(life: EdgeLife) -> None:
    """Simulate a kill: files stay, locks are released."""
    life.spool._database.close()
    life.spool._is_closed = True
    life.caller.close()
