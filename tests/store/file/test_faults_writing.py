"""After a short or failed write, the answer is 503, the journal is unchanged, and recording resumes with space."""

import errno
from pathlib import Path

import pytest

from payments.domain.sessions import HEARTBEAT, START
from payments.domain.times import format_time
from payments.errors import Unavailable
from payments.store.protocol import EntryQuery
from tests.audit import audit
from tests.disk.scripted import Fail, HastyDisk, ScriptedDisk, Step, Take
from tests.harness import NOON_MS, Clock, event, file_store, journal_path, uncoded
from tests.store.file.history import facts, lay, opened, torn_tails

JOURNAL = "ledger-events.log"
NO_SPACE, IO_ERROR, TOO_LARGE, QUOTA = (Fail(each) for each in (errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EDQUOT))

FIRST = [event("s-1", START)]
GROUP = [event("s-1", HEARTBEAT, NOON_MS + 1000), event("s-2", START), event("s-3", START)]
NEXT = [event("s-1", HEARTBEAT, NOON_MS + 2000)]

SHORT_WRITES = [
    pytest.param([NO_SPACE], id="nothing"),
    pytest.param([Take(1), NO_SPACE], id="one byte"),
    pytest.param([Take(350), NO_SPACE], id="half a line"),
    pytest.param([Take(1000), NO_SPACE], id="a line and a half"),
    pytest.param([Take(650), Take(650), Take(650), NO_SPACE], id="all but a few bytes, in three writes"),
]


@pytest.mark.parametrize("steps", SHORT_WRITES)
def test_a_full_disk_leaves_the_journal_as_it_was_until_there_is_space(steps: list[Step], tmp_path: Path) -> None:
    disk = ScriptedDisk()
    store = file_store(tmp_path, disk=disk)
    store.execute(FIRST)
    before, known = journal_path(tmp_path).read_bytes(), facts(store)

    disk.script("write", JOURNAL, *steps)
    with pytest.raises(Unavailable, match=r"no room for another entry .*make space on its disk"):
        store.execute(GROUP)
    assert journal_path(tmp_path).read_bytes() == before
    assert facts(store) == known
    assert [entry.seq for entry in store.entries(EntryQuery()).items] == [1]

    store.execute(NEXT)
    after = facts(store)
    store.close()
    assert after[0] == 2
    assert torn_tails(tmp_path) == []
    lay(tmp_path, journal_path(tmp_path).read_bytes())
    assert opened(tmp_path) == after


@pytest.mark.parametrize(
    ("failure", "complaint"),
    [(NO_SPACE, "make space"), (QUOTA, "make space"), (TOO_LARGE, "make space"), (IO_ERROR, "cannot be written")],
    ids=["full disk", "quota", "file size limit", "broken disk"],
)
def test_every_command_is_refused_while_writes_fail(failure: Fail, complaint: str, tmp_path: Path) -> None:
    disk = ScriptedDisk()
    store = file_store(tmp_path, disk=disk)
    disk.broken["write", JOURNAL] = failure
    for _ in range(5):
        with pytest.raises(Unavailable, match=complaint) as refusal:
            store.execute(FIRST)
        assert uncoded(refusal.value).startswith(str(journal_path(tmp_path)))
    disk.broken.clear()
    store.execute(FIRST)
    store.close()
    assert len(audit(journal_path(tmp_path)).entries) == 1


def test_a_command_that_records_nothing_needs_no_space(tmp_path: Path) -> None:
    disk = ScriptedDisk()
    store = file_store(tmp_path, disk=disk)
    said = event("s-1", START, event_id="e-1")
    store.execute([said])
    disk.broken["write", JOURNAL] = NO_SPACE
    assert [result.kind for result in store.execute([said]) if not isinstance(result, Exception)] == ["duplicate"]
    store.close()


@pytest.mark.parametrize("steps", SHORT_WRITES[1:])
def test_what_could_not_be_cut_back_is_dealt_with_at_the_next_turn(steps: list[Step], tmp_path: Path) -> None:
    """Complete lines may stay, as if their answers were lost; the torn rest is set aside."""
    disk = ScriptedDisk()
    store = file_store(tmp_path, disk=disk)
    store.execute(FIRST)
    before = journal_path(tmp_path).read_bytes()
    disk.script("write", JOURNAL, *steps)
    disk.script("truncate", JOURNAL, IO_ERROR)
    with pytest.raises(Unavailable, match="no room"):
        store.execute(GROUP)
    leftover = journal_path(tmp_path).read_bytes()[len(before) :]
    assert leftover
    whole, newline, torn = leftover.rpartition(b"\n")

    store.execute(NEXT)
    after = facts(store)
    store.close()
    assert journal_path(tmp_path).read_bytes().startswith(before + whole + newline)
    assert [each.read_bytes() for each in torn_tails(tmp_path)] == [torn]
    assert after[0] == len(audit(journal_path(tmp_path)).entries)
    lay(tmp_path, journal_path(tmp_path).read_bytes())
    assert opened(tmp_path) == after


def test_what_was_cut_off_is_gone_from_the_disk_before_anything_is_written_behind_it(tmp_path: Path) -> None:
    """Otherwise a crash could bring it back, before entries acknowledged since."""
    disk = ScriptedDisk()
    store = file_store(tmp_path, disk=disk)
    disk.log.clear()
    disk.script("write", JOURNAL, Take(10), NO_SPACE)
    with pytest.raises(Unavailable):
        store.execute(FIRST)
    store.execute(NEXT)
    store.close()
    calls = [
        operation for operation, name in disk.log if name == JOURNAL and operation in ("write", "truncate", "sync")
    ]
    assert calls == ["write", "write", "truncate", "sync", "write", "sync"]


def test_another_process_deals_with_it_as_well(tmp_path: Path) -> None:
    disk = ScriptedDisk()
    store, other = file_store(tmp_path, disk=disk), file_store(tmp_path, disk=HastyDisk())
    store.execute(FIRST)
    disk.script("write", JOURNAL, Take(10), NO_SPACE)
    disk.script("truncate", JOURNAL, IO_ERROR)
    with pytest.raises(Unavailable):
        store.execute(GROUP)
    other.execute(NEXT)
    store.execute(GROUP[1:])
    assert facts(store) == facts(other)
    store.close()
    other.close()
    assert len(audit(journal_path(tmp_path)).entries) == 4


@pytest.mark.parametrize("operation", ["open", "write", "sync"])
def test_a_torn_tail_stays_until_its_copy_is_safe(operation: str, tmp_path: Path) -> None:
    file_store(tmp_path, disk=HastyDisk()).close()
    disk = ScriptedDisk()
    store = file_store(tmp_path, disk=disk)
    torn = journal_path(tmp_path).with_name(f"{JOURNAL}.torn-0-20270115T080000.000Z")
    journal_path(tmp_path).write_bytes(b'{"seq":1')
    disk.script(operation, torn.name, NO_SPACE)
    with pytest.raises(Unavailable, match="cannot be read or fixed"):
        store.execute(FIRST)
    assert journal_path(tmp_path).read_bytes() == b'{"seq":1'
    store.execute(FIRST)
    store.close()
    assert torn.read_bytes() == b'{"seq":1'
    assert len(audit(journal_path(tmp_path)).entries) == 1


@pytest.mark.parametrize("operation", ["write", "sync", "truncate"])
def test_a_tail_that_cannot_be_set_aside_leaves_no_copies(operation: str, tmp_path: Path) -> None:
    """Every request meets it again, and on a full disk each copy makes things worse."""
    file_store(tmp_path, disk=HastyDisk()).close()
    disk, clock = ScriptedDisk(), Clock()
    store = file_store(tmp_path, clock=clock, disk=disk)
    journal_path(tmp_path).write_bytes(b'{"seq":1')
    for _ in range(3):
        clock.now_ms += 1000
        torn = f"{JOURNAL}.torn-0-{format_time(clock.now_ms).replace(':', '').replace('-', '')}"
        disk.script(operation, JOURNAL if operation == "truncate" else torn, NO_SPACE)
        with pytest.raises(Unavailable):
            store.execute(FIRST)
        assert torn_tails(tmp_path) == []
    store.execute(FIRST)
    store.close()
    assert [each.read_bytes() for each in torn_tails(tmp_path)] == [b'{"seq":1']
