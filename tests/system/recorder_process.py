"""A process with a store: ``python -m tests.system.recorder_process FOLDER SEGMENT_BYTES MAX_GAP_S``.

It prints ``loaded``, and opens the store after reading a line. Then it prints ``ready``, or why it cannot start. Each
further line of input is JSON: a time to set its clock to, and the fields of an event received then. It answers each
with a line: the outcome, or why it was refused.

It imports little, because some tests start it a hundred times.
"""

import json
import sys
from pathlib import Path

from payments.domain.decisions import Outcome, Terms
from payments.domain.sessions import SessionEvent
from payments.errors import PaymentsError, Unavailable
from payments.store.file.snapshot import Paths
from payments.store.file.store import FileStore

HOST, EARNER, RATE_WEI_PER_MINUTE = "203.0.113.10", "orch-a", 10**15


class _Told:
    """A clock that the last line set."""

    now_ms = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now_ms


def main(folder: Path, segment_bytes: int, max_gap_s: int) -> None:
    clock = _Told()
    terms = Terms(RATE_WEI_PER_MINUTE, max_gap_ms=max_gap_s * 1000, attribution={HOST: EARNER})
    paths = Paths(folder / "sessions.json", folder / "balances.json", folder / "power_meter.json")
    journal = folder / "audit" / "ledger-events.log"
    _say("loaded")
    sys.stdin.readline()
    try:
        store = FileStore(journal, paths, lambda: terms, clock, segment_bytes=segment_bytes)
    except PaymentsError as error:
        _say(str(error))
        return
    _say("ready")
    for line in sys.stdin:
        clock.now_ms, fields = json.loads(line)
        _say(_record(store, SessionEvent(received_at_ms=clock(), upstream_addr=HOST, **fields)))
    store.close()


def _record(store: FileStore, event: SessionEvent) -> str:
    try:
        result = store.execute([event])[0]
    except Unavailable as error:
        return str(error)
    assert isinstance(result, Outcome)
    return result.kind


def _say(what: str) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
