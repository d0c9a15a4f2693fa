"""What comes of delivering: what Payments has got, and what the edge has set aside."""

import json
from pathlib import Path

from payments.domain.sessions import END, START
from tests.edge.edge import Edge
from tests.edge.stand_in import StandIn
from tests.harness import state_of


def rejects(folder: Path) -> list[dict[str, object]]:
    """What was set aside in ``folder/spool``, oldest first."""
    path = folder / "spool" / "rejects.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def all_is_delivered(life: Edge, stand_in: StandIn) -> None:
    """Sessions that begin and end now come through, each event counted once and in order."""
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
