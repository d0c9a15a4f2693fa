"""Makes the golden files of format version 1: ``python -m tests.store.file.golden_history``.

Data folders have files like these, so make them again only while version 1 is not released.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from payments.domain.commands import Command
from payments.domain.decisions import Terms
from payments.domain.money import parse_eth
from payments.domain.readings import AWAKE, UNKNOWN, Reading
from payments.domain.retention import CloseStale, PurgeEnded
from payments.domain.sessions import END, HEARTBEAT, START
from payments.store.file.store import FileStore
from tests.harness import HOST_A, HOST_B, Clock, event, journal_path, projections

GOLDEN = Path(__file__).parent / "golden"
NAMES = ("ledger-events.log", "sessions.json", "balances.json", "power_meter.json")
BEGIN_MS = 1_769_860_800_000  # 2026-01-31T12:00:00Z
AWAKE_REQUIRED_FROM_MS = BEGIN_MS + 770_000
TERMS = Terms(
    rate_wei_per_minute=parse_eth("0.001000000000000001"),
    max_gap_ms=600_000,
    attribution={HOST_A: "orch-a", HOST_B: "orch-ß"},
    power_rate_wei_per_minute=parse_eth("0.0005"),
)


def at(after_ms: int) -> int:
    """Time ``after_ms`` of the story."""
    return BEGIN_MS + after_ms


def said(after_ms: int, session_id: str, kind: str, **fields: Any) -> tuple[int, Command]:
    """An event that is received when it is decided."""
    return after_ms, event(session_id, kind, at(after_ms), **fields)


def read(after_ms: int, orchestrator_id: str, state: str, detail: str | None = None) -> tuple[int, Command]:
    """A reading that is recorded when it is made."""
    return after_ms, Reading(orchestrator_id, state, at(after_ms), detail)


STEPS: tuple[tuple[int, Command], ...] = (
    said(0, "viewer-1", START, upstream_port=8888, edge_id="edge-a", streamer_id="Stream é", seq=1),
    said(15_000, "viewer-1", HEARTBEAT, event_id="b-1", seq=2),
    said(15_001, "viewer-2", HEARTBEAT, upstream_addr="198.51.100.7"),
    said(20_000, "viewer-2", HEARTBEAT, upstream_addr=HOST_B),
    said(31_234, "viewer-1", HEARTBEAT, upstream_addr=HOST_B, occurred_at_ms=at(30_000)),
    said(60_000, "viewer-1", END, upstream_addr=None),
    said(700_000, "viewer-2", HEARTBEAT, upstream_addr=None),
    said(700_001, "viewer-1", START),
    said(760_000, "viewer-2", END, upstream_addr=None),
    said(761_000, "viewer-3", END),
    read(800_000, "orch-a", AWAKE),
    read(800_000, "orch-ß", UNKNOWN, "no answer within 3 s"),
    said(830_000, "viewer-1", HEARTBEAT),
    read(860_007, "orch-a", AWAKE),
    read(860_008, "orch-ß", AWAKE),
    read(920_000, "orch-a", "asleep"),
    read(980_000, "orch-ß", AWAKE),
    # The clock has stepped back.
    read(950_000, "orch-ß", AWAKE),
    read(1_500_000, "orch-ß", AWAKE),
    (5_000_000, CloseStale("viewer-1", at(830_000))),
    (5_000_001, PurgeEnded("viewer-3", at(761_000))),
)


def write(folder: Path) -> None:
    """Let a store on ``folder`` execute ``STEPS``."""
    clock = Clock()

    def terms() -> Terms:
        return TERMS._replace(require_awake=clock.now_ms >= AWAKE_REQUIRED_FROM_MS)

    store = FileStore(journal_path(folder), projections(folder), terms, clock)
    for after_ms, command in STEPS:
        clock.now_ms = at(after_ms)
        store.execute([command])
    store.close()


def path_of(folder: Path, name: str) -> Path:
    """Path, for a store on ``folder``, of the golden file ``name``."""
    return journal_path(folder) if name == journal_path(folder).name else folder / name


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        write(Path(scratch))
        GOLDEN.mkdir(exist_ok=True)
        for each in NAMES:
            shutil.copyfile(path_of(Path(scratch), each), GOLDEN / each)
