"""A lock that another process keeps: whoever waits is told in time, and what was refused is never recorded."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from payments.disk.lock import HotLock
from payments.domain.billing import Terms
from payments.domain.sessions import START
from payments.errors import Unavailable
from payments.store.file import store as engine
from payments.store.file.snapshot import Paths
from payments.store.file.store import FileStore
from tests.audit import audit
from tests.disk.scripted import HastyDisk, ScriptedDisk
from tests.harness import TERMS, Clock, event, file_store, journal_path

THREADS = 4
CALLS: dict[str, Callable[[FileStore], object]] = {
    "execute": lambda store: store.execute([event("late", START)]),
    "check": lambda store: store.check(),
}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileStore]:
    """A store that waits for a tenth of a second instead of for five."""
    monkeypatch.setattr(engine, "LOCK_TIMEOUT_S", 0.1)
    store = file_store(tmp_path, disk=HastyDisk())
    yield store
    store.close()


@pytest.fixture
def holder(store: FileStore, tmp_path: Path) -> Iterator[HotLock]:
    """The lock, as a process that was stopped keeps it."""
    lock = HotLock(journal_path(tmp_path).with_name("ledger-events.log.lock"))
    lock.acquire(30)
    yield lock
    lock.close()


@pytest.mark.parametrize("name", CALLS)
def test_a_kept_lock_is_unavailable_until_it_is_free(name: str, store: FileStore, holder: HotLock) -> None:
    for _ in range(2):
        with pytest.raises(Unavailable, match="is held by another process for too long; is one stopped"):
            CALLS[name](store)
    holder.release()
    CALLS[name](store)


def test_a_command_that_was_refused_is_not_recorded_later(store: FileStore, holder: HotLock, tmp_path: Path) -> None:
    with ThreadPoolExecutor(THREADS) as threads:
        refused = [threads.submit(store.execute, [event(f"refused-{number}", START)]) for number in range(THREADS)]
        for each in refused:
            with pytest.raises(Unavailable):
                each.result(30)
    holder.release()
    store.execute([event("s-1", START)])
    assert [entry["session"]["session_id"] for entry in audit(journal_path(tmp_path)).entries] == ["s-1"]


def test_reading_what_is_known_needs_no_lock(store: FileStore, holder: HotLock) -> None:
    assert store.view().seq == 0
    holder.release()
    store.execute([event("s-1", START)])
    holder.acquire(30)
    assert list(store.view().sessions) == ["s-1"]


def test_a_source_of_terms_that_fails_fails_its_commands_and_not_the_store(tmp_path: Path) -> None:
    answers: list[Terms | Exception] = [TERMS, ZeroDivisionError(), TERMS]

    def terms() -> Terms:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    paths = Paths(tmp_path / "sessions.json", tmp_path / "balances.json")
    store = FileStore(journal_path(tmp_path), paths, terms, Clock(), disk=HastyDisk())
    store.execute([event("s-1", START)])
    with pytest.raises(ZeroDivisionError):
        store.execute([event("s-2", START)])
    store.execute([event("s-3", START)])
    assert list(store.view().sessions) == ["s-1", "s-3"]
    store.close()


@pytest.mark.parametrize("made_before", [False, True], ids=["new journal", "journal of a dead process"])
def test_the_name_of_the_journal_is_on_disk_before_anything_is_answered(made_before: bool, tmp_path: Path) -> None:
    """Whoever made the file may have died before it synced the folder."""
    if made_before:
        journal_path(tmp_path).parent.mkdir()
        journal_path(tmp_path).touch()
    disk = ScriptedDisk()
    store = file_store(tmp_path, disk=disk)
    opening, naming = disk.log.index(("open", "ledger-events.log")), disk.log.index(("sync_folder", "audit"))
    assert opening < naming
    store.close()
