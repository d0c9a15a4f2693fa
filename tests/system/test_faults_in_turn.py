"""One process is killed in its first call that changes a file, the next in its second, and so on to the last."""

from pathlib import Path

import pytest

from tests.audit import audit
from tests.harness import journal_path
from tests.system.load import faults
from tests.system.recorder_processes import PlannedFault, running_recorder
from tests.system.tracing import RENAME

SEGMENT_BYTES = 2_000
"""Two entries, so that every third event seals a file."""

JOURNAL, PROJECTIONS = ["audit/ledger-events.log"], ["sessions.json.new", "balances.json.new"]
DEADLY = {
    "write the journal": ("write", JOURNAL, 4),
    "sync the journal": ("fdatasync", JOURNAL, 4),
    "seal the journal": (RENAME, JOURNAL, 4),
    "protect a segment": ("fchmod", [], 4),
    "sync the folder of the journal": ("fsync", ["audit"], 4),
    "write projections": ("write", PROJECTIONS, 1),
    "sync projections": ("fdatasync", PROJECTIONS, 1),
    "rename projections": (RENAME, PROJECTIONS, 1),
    "sync the folder of projections": ("fsync", ["."], 1),
}


@pytest.mark.parametrize(("calls", "names", "events"), DEADLY.values(), ids=DEADLY)
def test_a_process_that_dies_in_any_of_its_calls_takes_nothing_along(
    tmp_path: Path, calls: str, names: list[str], events: int
) -> None:
    """Each process records some events; each event is repeated until it is acknowledged."""
    acknowledged = deaths = 0
    while True:
        fault = PlannedFault(calls, f"signal=KILL:when={deaths + 1}", [tmp_path / name for name in names])
        with running_recorder(tmp_path, segment_bytes=SEGMENT_BYTES, fault=fault) as process:
            for _ in range(faults(events)):
                answer = process.tell(acknowledged)
                if not answer:
                    break
                assert answer in ("recorded", "duplicate")
                acknowledged += 1
        if not process.has_died:
            break
        deaths += 1
    assert deaths
    entries, _ = audit(journal_path(tmp_path))
    assert [entry["session"]["event_id"] for entry in entries] == [str(number) for number in range(acknowledged)]
