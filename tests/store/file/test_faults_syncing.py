"""A failed sync is never retried: all writers stop until a start has verified the journal from disk."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from payments.domain.sessions import HEARTBEAT, START
from payments.errors import Corrupt, Unavailable
from payments.store.file.halt import mark_path
from payments.store.file.store import FileStore
from payments.store.protocol import EntryQuery
from tests.audit import audit
from tests.disk.scripted import Fail, HastyDisk, ScriptedDisk
from tests.harness import NOON_MS, event, file_store, journal_path, probed, state_of, uncoded
from tests.store.file.history import History, facts, lay

JOURNAL = "ledger-events.log"
IO_ERROR = Fail(errno.EIO)
FIRST = [event("s-1", START)]
NEXT = [event("s-1", HEARTBEAT, NOON_MS + 1000)]

CALLS: dict[str, Callable[[FileStore], object]] = {
    "execute": lambda store: store.execute(NEXT),
    "a command that records nothing": lambda store: store.execute([]),
    "queries": state_of,
    "entries": lambda store: store.entries(EntryQuery()),
    "check": probed,
}


@pytest.fixture
def halted(tmp_path: Path) -> tuple[FileStore, ScriptedDisk]:
    """A store with an acknowledged entry and one whose sync failed; the disk works again."""
    disk = ScriptedDisk()
    store = file_store(tmp_path, disk=disk)
    store.execute(FIRST)
    disk.script("sync", JOURNAL, IO_ERROR)
    with pytest.raises(Unavailable, match="a sync failed"):
        store.execute(NEXT)
    return store, disk


@pytest.mark.parametrize("name", CALLS)
def test_after_a_failed_sync_nothing_is_answered(
    name: str, halted: tuple[FileStore, ScriptedDisk], tmp_path: Path
) -> None:
    store, disk = halted
    disk.log.clear()
    for _ in range(3):
        with pytest.raises(Unavailable) as refusal:
            CALLS[name](store)
        assert uncoded(refusal.value) == (
            f"{journal_path(tmp_path)}: a sync failed (Input/output error). Nothing is written until a restart has "
            f"verified the journal from disk; look at the disk, then restart all processes of Payments"
        )
    assert [call for call in disk.log if call[1] == JOURNAL] == []
    store.close()


@pytest.mark.parametrize("name", ["execute", "a command that records nothing", "check"])
def test_writers_in_other_processes_stop_too(name: str, halted: tuple[FileStore, ScriptedDisk], tmp_path: Path) -> None:
    store, _ = halted
    mark = mark_path(journal_path(tmp_path))
    assert mark.read_text() == f"{journal_path(tmp_path)}: a sync failed (Input/output error)\n"
    mark.rename(mark.with_name("aside"))
    other = file_store(tmp_path, disk=HastyDisk())
    mark.with_name("aside").rename(mark)
    for _ in range(2):
        with pytest.raises(Unavailable, match=f"^PAY-D02 {mark} exists: a sync failed"):
            CALLS[name](other)
    store.close()
    other.close()


def test_a_start_verifies_the_journal_and_goes_on(halted: tuple[FileStore, ScriptedDisk], tmp_path: Path) -> None:
    store, _ = halted
    store.close()
    again = file_store(tmp_path, disk=HastyDisk())
    assert not mark_path(journal_path(tmp_path)).exists()
    assert state_of(again).seq == 2
    again.execute([event("s-1", HEARTBEAT, NOON_MS + 2000)])
    assert state_of(again).seq == 3
    again.close()
    assert len(audit(journal_path(tmp_path)).entries) == 3


def test_store_that_saw_the_sync_fail_stays_stopped_though_others_start(
    halted: tuple[FileStore, ScriptedDisk], tmp_path: Path
) -> None:
    store, _ = halted
    file_store(tmp_path, disk=HastyDisk()).close()
    with pytest.raises(Unavailable, match="a sync failed"):
        store.execute(NEXT)
    store.close()


def test_the_start_trusts_neither_projection_nor_cache(history: History, tmp_path: Path) -> None:
    damaged = bytearray(history.journal)
    damaged[100] ^= 1
    lay(tmp_path, bytes(damaged), history.shown[-1])
    mark = mark_path(journal_path(tmp_path))
    mark.write_text("a sync failed\n")
    disk = ScriptedDisk()
    with pytest.raises(Corrupt, match=r"line 1 \(byte 0\)"):
        file_store(tmp_path, disk=disk)
    assert ("forget_cache", JOURNAL) in disk.log
    assert mark.exists()


def test_a_verified_start_knows_all(history: History, tmp_path: Path) -> None:
    lay(tmp_path, history.journal, history.shown[-1])
    mark_path(journal_path(tmp_path)).touch()
    disk = ScriptedDisk()
    store = file_store(tmp_path, disk=disk)
    assert facts(store) == history.facts[-1]
    store.close()
    assert disk.log.index(("sync", JOURNAL)) < disk.log.index(("remove", f"{JOURNAL}.halted"))


def test_lines_that_never_reached_the_disk_are_set_aside_by_the_start(
    halted: tuple[FileStore, ScriptedDisk], tmp_path: Path
) -> None:
    """The disk has less than the page cache showed."""
    store, _ = halted
    store.close()
    lines = journal_path(tmp_path).read_bytes().splitlines(keepends=True)
    journal_path(tmp_path).write_bytes(lines[0] + b"\0" * len(lines[1]))
    again = file_store(tmp_path, disk=HastyDisk())
    assert state_of(again).seq == 1
    again.close()


def test_a_sync_that_fails_at_the_start_stops_it(tmp_path: Path) -> None:
    disk = ScriptedDisk()
    disk.script("sync", JOURNAL, IO_ERROR)
    with pytest.raises(Unavailable, match="a sync failed"):
        file_store(tmp_path, disk=disk)
    assert mark_path(journal_path(tmp_path)).exists()
    file_store(tmp_path, disk=disk).close()
    assert not mark_path(journal_path(tmp_path)).exists()


@pytest.mark.parametrize("operation", ["open", "write", "sync"])
def test_a_mark_that_cannot_be_set_stops_this_process_all_the_same(operation: str, tmp_path: Path) -> None:
    disk = ScriptedDisk()
    store = file_store(tmp_path, disk=disk)
    disk.script("sync", JOURNAL, IO_ERROR)
    disk.script(operation, f"{JOURNAL}.halted", IO_ERROR)
    for _ in range(2):
        with pytest.raises(Unavailable, match="a sync failed"):
            store.execute(FIRST)
    store.close()


def test_closing_after_a_failed_sync_shows_nothing_of_what_was_not_acknowledged(
    halted: tuple[FileStore, ScriptedDisk], tmp_path: Path
) -> None:
    store, _ = halted
    before = (tmp_path / "sessions.json").read_bytes()
    store.close()
    assert (tmp_path / "sessions.json").read_bytes() == before
