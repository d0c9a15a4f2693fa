"""How the golden files of format version 1 came about: ``python -m tests.store.file.golden_history``.

Files like them are in data folders, so they are written once and kept: anew only while version 1 is not released.
"""

import shutil
import tempfile
from pathlib import Path

from payments.domain.decisions import Terms
from payments.domain.money import parse_eth
from payments.domain.sessions import END, HEARTBEAT, START
from tests.harness import HOST_A, HOST_B, Clock, event, file_store, journal_path

GOLDEN = Path(__file__).parent / "golden"
NAMES = ("ledger-events.log", "sessions.json", "balances.json")
BEGIN_MS = 1_769_860_800_000  # 2026-01-31T12:00:00Z
TERMS = Terms(
    rate_wei_per_minute=parse_eth("0.001000000000000001"),
    max_gap_ms=600_000,
    attribution={HOST_A: "orch-a", HOST_B: "orch-ß"},
)

STEPS: tuple[tuple[int, str, str, dict[str, object]], ...] = (
    (0, "viewer-1", START, {"upstream_port": 8888, "edge_id": "edge-a", "streamer_id": "Stream é", "seq": 1}),
    (15_000, "viewer-1", HEARTBEAT, {"event_id": "b-1", "seq": 2}),
    (15_001, "viewer-2", HEARTBEAT, {"upstream_addr": "198.51.100.7"}),
    (20_000, "viewer-2", HEARTBEAT, {"upstream_addr": HOST_B}),
    (31_234, "viewer-1", HEARTBEAT, {"upstream_addr": HOST_B, "occurred_at_ms": BEGIN_MS + 30_000}),
    (60_000, "viewer-1", END, {"upstream_addr": None}),
    (700_000, "viewer-2", HEARTBEAT, {"upstream_addr": None}),
    (700_001, "viewer-1", START, {}),
    (760_000, "viewer-2", END, {"upstream_addr": None}),
    (761_000, "viewer-3", END, {}),
)


def write(folder: Path) -> None:
    """Let a store on ``folder`` live through ``STEPS``."""
    clock = Clock()
    store = file_store(folder, TERMS, clock)
    for after_ms, session_id, kind, fields in STEPS:
        clock.now_ms = BEGIN_MS + after_ms
        store.execute([event(session_id, kind, clock.now_ms, **fields)])
    store.close()


def path_of(folder: Path, name: str) -> Path:
    """Where a store on ``folder`` has the file that is ``name`` among the golden ones."""
    return journal_path(folder) if name == journal_path(folder).name else folder / name


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        write(Path(scratch))
        GOLDEN.mkdir(exist_ok=True)
        for each in NAMES:
            shutil.copyfile(path_of(Path(scratch), each), GOLDEN / each)
