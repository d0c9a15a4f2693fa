"""Files of format version 1 are read and written unchanged, and version 2 is refused."""

import json
import shutil
import zlib
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import pytest

from payments.domain.ledger import Balance
from payments.domain.readings import PowerState
from payments.domain.sessions import Session
from payments.errors import Corrupt
from tests.audit import audit
from tests.harness import event, file_store, journal_path, projections, uncoded
from tests.store.file.golden_history import BEGIN_MS, GOLDEN, NAMES, path_of, write
from tests.store.file.history import Facts, opened, torn_tails

SEQ = 21
SESSIONS = [
    Session(
        session_id="viewer-2", incarnation=1, opened_seq=3, orchestrator_id="orch-ß", upstream_addr="203.0.113.20",
        upstream_port=None, edge_id=None, streamer_id=None, status="ended", started_at_ms=BEGIN_MS + 15_001,
        last_seen_at_ms=BEGIN_MS + 760_000, last_event="end", last_billed_at_ms=BEGIN_MS + 760_000,
        ended_at_ms=BEGIN_MS + 760_000, end_reason="end", billed_ms=60_000, billed_wei=1_000_000_000_000_001,
        remainder=0, last_credited_wei=1_000_000_000_000_001, unbilled_ms={"unattributed": 4_999, "gap": 680_000},
        heartbeat_count=3, seq=None, event_id=None, event_digest=None,
    ),
    Session(
        session_id="viewer-1", incarnation=2, opened_seq=8, orchestrator_id="orch-a", upstream_addr="203.0.113.10",
        upstream_port=8888, edge_id="edge-a", streamer_id="Stream é", status="ended", started_at_ms=BEGIN_MS + 700_001,
        last_seen_at_ms=BEGIN_MS + 830_000, last_event="heartbeat", last_billed_at_ms=BEGIN_MS + 830_000,
        ended_at_ms=BEGIN_MS + 830_000, end_reason="timeout", billed_ms=30_000, billed_wei=500_000_000_000_000,
        remainder=30_000, last_credited_wei=500_000_000_000_000, unbilled_ms={"asleep": 99_999}, heartbeat_count=1,
        seq=2, event_id="b-1", event_digest="a6c9c6162a1673c091f7dea56a48e6ec",
    ),
]  # fmt: skip
BALANCES = {
    "orch-a": Balance("orch-a", 1_500_058_333_333_333, BEGIN_MS + 860_007, 14),
    "orch-ß": Balance("orch-ß", 2_499_933_333_333_335, BEGIN_MS + 980_000, 17),
}
POWER = {
    "orch-a": PowerState(
        "orch-a", state="asleep", detail=None, read_at_ms=BEGIN_MS + 920_000, since_ms=BEGIN_MS + 920_000,
        awake_from_ms=BEGIN_MS + 800_000, awake_until_ms=BEGIN_MS + 920_000, metered_from_ms=BEGIN_MS + 800_000,
        metered_to_ms=BEGIN_MS + 920_000, billed_ms=60_007, billed_wei=500_058_333_333_333, remainder=20_000,
        last_credited_wei=500_058_333_333_333, no_credit="asleep", unbilled_ms={"asleep": 59_993},
    ),
    "orch-ß": PowerState(
        "orch-ß", state="awake", detail=None, read_at_ms=BEGIN_MS + 1_500_000, since_ms=BEGIN_MS + 860_008,
        awake_from_ms=BEGIN_MS + 1_500_000, awake_until_ms=BEGIN_MS + 1_680_000, metered_from_ms=BEGIN_MS + 800_000,
        metered_to_ms=BEGIN_MS + 1_500_000, billed_ms=119_992, billed_wei=999_933_333_333_333, remainder=20_000,
        last_credited_wei=999_933_333_333_333, no_credit="gap", unbilled_ms={"unknown": 60_008, "gap": 520_000},
    ),
}  # fmt: skip
EXPECTED: Facts = (SEQ, SESSIONS, BALANCES, POWER)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with the golden files."""
    for name in NAMES:
        path_of(tmp_path, name).parent.mkdir(exist_ok=True)
        shutil.copyfile(GOLDEN / name, path_of(tmp_path, name))
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {name: path_of(folder, name).read_bytes() for name in NAMES}


def of_version_2(folder: Path) -> bytes:
    """A complete line of version 2 that continues the journal in ``folder``."""
    last = journal_path(folder).read_bytes().splitlines(keepends=True)[-1]
    record = {**json.loads(last), "seq": SEQ + 1, "v": 2, "prev": sha256(last).hexdigest()}
    del record["crc"]
    body = json.dumps(record, separators=(",", ":")).encode()[:-1]
    return body + f',"crc":"{zlib.crc32(body):08x}"}}\n'.encode()


def test_golden_files_are_read_and_left_as_they_are(folder: Path) -> None:
    before = contents(folder)
    assert opened(folder) == EXPECTED
    assert contents(folder) == before
    assert torn_tails(folder) == []


def test_the_golden_journal_alone_makes_the_golden_projections(folder: Path) -> None:
    before = contents(folder)
    for path in projections(folder):
        path.unlink()
    assert opened(folder) == EXPECTED
    assert contents(folder) == before


def test_the_same_events_make_the_golden_files_to_the_byte(tmp_path: Path) -> None:
    write(tmp_path)
    golden = {name: (GOLDEN / name).read_bytes() for name in NAMES}
    assert contents(tmp_path) == golden


def test_an_auditor_finds_the_golden_journal_whole() -> None:
    entries, balances = audit(GOLDEN / "ledger-events.log")
    assert len(entries) == SEQ
    assert balances == {"orch-a": Decimal("0.001500058333333333"), "orch-ß": Decimal("0.002499933333333335")}


@pytest.mark.parametrize("is_shown", [True, False], ids=["with projections", "without"])
def test_a_line_of_version_2_stops_the_start_and_stays(is_shown: bool, folder: Path) -> None:
    path = journal_path(folder)
    end = path.stat().st_size
    with path.open("ab") as journal:
        journal.write(of_version_2(folder))
    if not is_shown:
        for projection in projections(folder):
            projection.unlink()
    before = path.read_bytes()
    with pytest.raises(Corrupt) as refusal:
        opened(folder)
    complaint = "format version 2 is not known here; a newer Payments wrote it: upgrade first"
    assert uncoded(refusal.value) == f"{path}, line {SEQ + 1} (byte {end}): {complaint}"
    assert path.read_bytes() == before
    assert torn_tails(folder) == []


def test_a_line_of_version_2_stops_a_running_store(folder: Path) -> None:
    """A newer Payments was started beside it."""
    store = file_store(folder)
    line = of_version_2(folder)
    with journal_path(folder).open("ab") as journal:
        journal.write(line)
    for _ in range(2):
        with pytest.raises(Corrupt, match="upgrade first"):
            store.execute([event()])
    store.close()
    assert journal_path(folder).read_bytes() == (GOLDEN / "ledger-events.log").read_bytes() + line


@pytest.mark.parametrize("name", NAMES[1:])
def test_a_projection_of_format_2_is_made_again(name: str, folder: Path) -> None:
    before = contents(folder)
    (folder / name).write_bytes(before[name].replace(b'"format":1', b'"format":2', 1))
    assert opened(folder) == EXPECTED
    assert contents(folder) == before
