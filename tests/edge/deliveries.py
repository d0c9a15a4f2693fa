"""What Payments received, and what the edge set aside."""

import json
from typing import Any

from payments.domain.sessions import END, START
from tests.edge.edge import EdgeLife
from tests.edge.stand_in import StandIn
from tests.harness import state_of


def dead_letters(life: EdgeLife) -> list[dict[str, Any]]:
    """Dead letters of the edge's spool, oldest first."""
    life.write()
    letters, _ = life.spool.contents()
    return [{"reason": each.reason, "event": json.loads(each.event.body())} for each in letters]


def all_is_delivered(life: EdgeLife, stand_in: StandIn) -> None:
    """Check that new sessions are delivered, each event once and in order."""
    sessions = [life.begin() for _ in range(3)]
    life.write()
    life.clock.now_ms += 1000
    for session in sessions:
        session.end()
    life.write()
    life.deliver()
    assert life.spool.pending == 0
    assert [stand_in.kinds(each.session_id) for each in sessions] == [[START, END]] * 3
    assert {each.billed_ms for each in state_of(stand_in.store).sessions.values()} >= {1000}
