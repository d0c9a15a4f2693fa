"""While another process keeps the lock, waiters get an error in time, and refused commands are never recorded."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock

from payments.disk.lock import HotLock
from payments.domain.decisions import Outcome, Terms
from payments.domain.sessions import START
from payments.errors import Unavailable
from payments.store.file import store as engine
from payments.store.file.store import FileStore
from payments.store.protocol import EntryQuery
from tests.audit import audit
from tests.disk.scripted import GatedDisk, HastyDisk, ScriptedDisk, held_sync
from tests.harness import (
    TERMS,
    Clock,
    event,
    file_store,
    journal_path,
    lock_path,
    open_files,
    projections,
    state_of,
    uncoded,
    until,
)

THREADS = 4
CALLS: dict[str, Callable[[FileStore], object]] = {
    "execute": lambda store: store.execute([event("late", START)]),
    "entries": lambda store: store.entries(EntryQuery()),
}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileStore]:
    """A store that waits 250 ms instead of 5 s."""
    monkeypatch.setattr(engine, "LOCK_TIMEOUT_S", 0.25)
    store = file_store(tmp_path, disk=HastyDisk())
    yield store
    store.close()


@pytest.fixture
def holder(store: FileStore, tmp_path: Path) -> Iterator[HotLock]:
    """The lock, held as by a stopped process."""
    lock = HotLock(lock_path(tmp_path))
    lock.acquire_within(30)
    yield lock
    lock.close()


@pytest.mark.parametrize("name", CALLS)
def test_a_kept_lock_is_unavailable_until_it_is_free(name: str, store: FileStore, holder: HotLock) -> None:
    for _ in range(2):
        with pytest.raises(Unavailable, match="is held by another process for too long; is one stopped"):
            CALLS[name](store)
    holder.release()
    until(lambda: store._journal.waiting_since_s is None)
    CALLS[name](store)


def test_a_kept_lock_is_waited_for_by_the_first_only(
    store: FileStore, holder: HotLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Later callers get the error at once; so does a probe, which never waits."""
    monkeypatch.setattr(engine, "MAX_LOCK_WAIT_S", 0.1)
    monkeypatch.setattr(engine, "LOCK_TIMEOUT_S", 30)
    assert store.check()["seq"] == 0
    until(lambda: is_refused(store.check))
    begun_s = time.monotonic()
    for call in CALLS.values():
        assert is_refused(lambda: call(store))  # noqa: B023 - called at once
    assert time.monotonic() - begun_s < 5
    holder.release()
    until(lambda: not is_refused(store.check))
    CALLS["execute"](store)


def test_no_more_wait_than_leave_room_for_others(
    store: FileStore, holder: HotLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "LOCK_TIMEOUT_S", 30)
    monkeypatch.setattr(engine, "MAX_LOCK_WAIT_S", 30)
    with ThreadPoolExecutor(THREADS) as threads:
        waiting = [threads.submit(store.execute, [event(f"s-{number}", START)]) for number in range(THREADS)]
        # The first is with the thread that waits for the lock; the others are queued.
        until(lambda: store._committer.waiting == THREADS - 1)
        monkeypatch.setattr(engine, "MAX_WAITING", THREADS - 1)
        begun_s = time.monotonic()
        assert is_refused(lambda: store.execute([event("one too many", START)]))
        assert time.monotonic() - begun_s < 10
        holder.release()
        assert all(each.result(30) for each in waiting)


def is_refused(call: Callable[[], object]) -> bool:
    try:
        call()
    except Unavailable:
        return True
    return False


def test_a_command_that_was_refused_is_not_recorded_later(store: FileStore, holder: HotLock, tmp_path: Path) -> None:
    with ThreadPoolExecutor(THREADS) as threads:
        refused = [threads.submit(store.execute, [event(f"refused-{number}", START)]) for number in range(THREADS)]
        for each in refused:
            with pytest.raises(Unavailable):
                each.result(30)
    holder.release()
    store.execute([event("s-1", START)])
    assert [entry["session"]["session_id"] for entry in audit(journal_path(tmp_path)).entries] == ["s-1"]


def test_closing_while_the_lock_is_kept_ends_and_records_nothing_later(
    store: FileStore, holder: HotLock, tmp_path: Path
) -> None:
    with pytest.raises(Unavailable):
        store.execute([event("refused", START)])
    store.close()
    committer = store._committer._thread
    assert committer.is_alive()
    holder.release()
    until(lambda: not committer.is_alive())
    with FileLock(lock_path(tmp_path), timeout=0):
        assert journal_path(tmp_path).read_bytes() == b""


def test_a_sync_that_takes_too_long_is_unavailable_and_the_same_event_can_be_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = GatedDisk()
    store, said = file_store(tmp_path, disk=disk), event("s-1", START, event_id="e-1")
    monkeypatch.setattr(engine, "LOCK_TIMEOUT_S", 0.1)
    with held_sync(disk), pytest.raises(Unavailable) as refusal:
        store.execute([said])
    assert uncoded(refusal.value) == "storage is busy; nothing is recorded unless it says so when asked again"
    monkeypatch.setattr(engine, "LOCK_TIMEOUT_S", 30)
    assert [result.kind for result in store.execute([said]) if isinstance(result, Outcome)] == ["duplicate"]
    store.close()
    assert len(audit(journal_path(tmp_path)).entries) == 1


def test_readers_that_give_up_during_a_sync_leave_no_file_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = GatedDisk()
    store, other = file_store(tmp_path, disk=disk), file_store(tmp_path, disk=HastyDisk())
    other.execute([event("s-1", START)])
    before = open_files("audit")
    monkeypatch.setattr(engine, "LOCK_TIMEOUT_S", 0.1)
    with held_sync(disk), pytest.raises(Unavailable, match="storage is busy"):
        store.entries(EntryQuery())
    monkeypatch.setattr(engine, "LOCK_TIMEOUT_S", 30)
    assert store.check()["seq"] == 1
    assert open_files("audit") == before
    store.close()
    other.close()


def test_reading_what_is_known_needs_no_lock(store: FileStore, holder: HotLock) -> None:
    assert state_of(store).seq == 0
    holder.release()
    store.execute([event("s-1", START)])
    holder.acquire_within(30)
    assert list(state_of(store).sessions) == ["s-1"]


def test_a_source_of_terms_that_fails_fails_its_commands_and_not_the_store(tmp_path: Path) -> None:
    broken = False

    def terms() -> Terms:
        if broken:
            raise ZeroDivisionError
        return TERMS

    paths = projections(tmp_path)
    store = FileStore(journal_path(tmp_path), paths, terms, Clock(), disk=HastyDisk())
    store.execute([event("s-1", START)])
    broken = True
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            store.execute([event("s-2", START)])
    broken = False
    store.execute([event("s-3", START)])
    assert list(state_of(store).sessions) == ["s-1", "s-3"]
    store.close()


@pytest.mark.parametrize("made_before", [False, True], ids=["new journal", "journal of a dead process"])
def test_the_name_of_the_journal_is_on_disk_before_anything_is_answered(made_before: bool, tmp_path: Path) -> None:
    """The process that made the file may have died before it synced the folder."""
    if made_before:
        journal_path(tmp_path).parent.mkdir()
        journal_path(tmp_path).touch()
    disk = ScriptedDisk()
    store = file_store(tmp_path, disk=disk)
    opening, naming = disk.log.index(("open", "ledger-events.log")), disk.log.index(("sync_folder", "audit"))
    assert opening < naming
    store.close()
