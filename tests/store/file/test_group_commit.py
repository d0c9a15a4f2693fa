"""Threads share syncs, and no call returns before a sync that covers everything it relies on."""

import errno
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from payments.disk import Disk
from payments.domain.decisions import Outcome
from payments.domain.sessions import HEARTBEAT, START
from payments.errors import Unavailable
from payments.store.file.store import FileStore
from payments.store.protocol import EntryQuery, Result
from tests.audit import audit
from tests.disk.scripted import Fail, GatedDisk, HastyDisk, held_sync
from tests.harness import NOON_MS, event, file_store, journal_path, state_of, until

JOURNAL = "ledger-events.log"
THREADS, COMMANDS = 16, 25
SYNC_TAKES_S = 0.01


class Return(NamedTuple):
    """State at the return of an ``execute``.

    Attributes:
        session_id: id of the session that it started; ``covered``: bytes of the journal synced by then.
    """

    session_id: str
    covered: int


class LedgerOfSyncs(Disk):
    """A disk with slow syncs that records how much of the journal they cover: what was written before they began.

    Attributes:
        covered: synced bytes of the journal; ``syncs``: number of its syncs.
    """

    def __init__(self, path: Path) -> None:
        self.covered = self.syncs = 0
        self._path = path
        self._journal = -1

    def open(self, path: Path, flags: int) -> int:
        descriptor = super().open(path, flags)
        if path == self._path:
            self._journal = descriptor
        return descriptor

    def sync(self, descriptor: int) -> None:
        if descriptor != self._journal:
            return
        self.syncs += 1
        size = os.fstat(descriptor).st_size
        time.sleep(SYNC_TAKES_S)
        self.covered = max(self.covered, size)

    def sync_folder(self, path: Path) -> None:
        pass


@pytest.fixture
def disk() -> GatedDisk:
    return GatedDisk()


@pytest.fixture
def store(tmp_path: Path, disk: GatedDisk) -> Iterator[FileStore]:
    """An empty store on ``disk``."""
    store = file_store(tmp_path, disk=disk)
    yield store
    store.close()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(THREADS) as threads:
        yield threads


def journal_calls(disk: GatedDisk) -> list[str]:
    """Operations on the journal since the log was cleared."""
    return [operation for operation, name in disk.log if name == JOURNAL]


def kinds(*answers: Sequence[Result]) -> list[str]:
    return [result.kind for answer in answers for result in answer if isinstance(result, Outcome)]


def begin_sessions(store: FileStore, disk: LedgerOfSyncs, thread: int) -> list[Return]:
    """Start ``COMMANDS`` sessions one by one."""
    returns = []
    for number in range(COMMANDS):
        session_id = f"{thread}-{number}"
        result = store.execute([event(session_id, START)])[0]
        returns.append(Return(session_id, disk.covered))
        assert isinstance(result, Outcome)
        assert result.session.session_id == session_id
    return returns


def test_threads_share_syncs_and_every_answer_is_on_disk(tmp_path: Path) -> None:
    disk = LedgerOfSyncs(journal_path(tmp_path))
    store = file_store(tmp_path, disk=disk)
    disk.syncs = 0
    with ThreadPoolExecutor(THREADS) as threads:
        runs = list(threads.map(lambda thread: begin_sessions(store, disk, thread), range(THREADS)))
    commands = THREADS * COMMANDS
    assert disk.syncs <= commands / 6
    store.close()

    entries, _ = audit(journal_path(tmp_path))
    ends: dict[str, int] = {}
    offset = 0
    for line, entry in zip(journal_path(tmp_path).read_bytes().splitlines(keepends=True), entries, strict=True):
        offset += len(line)
        ends[entry["session"]["session_id"]] = offset
    returns = [each for run in runs for each in run]
    assert len(ends) == len(returns) == commands
    assert [each for each in returns if each.covered < ends[each.session_id]] == []


def queued(store: FileStore, count: int) -> None:
    """Wait until so many callers are queued behind the current commit."""
    until(lambda: store._committer._queue.qsize() == count)


def line_count(folder: Path) -> int:
    return len(journal_path(folder).read_bytes().splitlines())


@contextmanager
def busy(store: FileStore, disk: GatedDisk, threads: ThreadPoolExecutor) -> Iterator[Future[Sequence[Result]]]:
    """Run the first command and hold its sync until the block ends; then it must be answered."""
    with held_sync(disk):
        first = threads.submit(store.execute, [event("first", START)])
        assert disk.waiting.wait(30)
        yield first
        assert not first.done()
    assert len(first.result(30)) == 1


LOOKS: dict[str, Callable[[FileStore], int]] = {
    "view": lambda store: state_of(store).seq,
    "entries": lambda store: len(store.entries(EntryQuery()).items),
    "projection": lambda store: store._capture().position.seq,
}


@pytest.mark.parametrize("name", LOOKS)
def test_no_answer_leaves_before_its_sync_has_returned(
    name: str, store: FileStore, disk: GatedDisk, threads: ThreadPoolExecutor, tmp_path: Path
) -> None:
    known = store._journal.state
    with busy(store, disk, threads):
        assert line_count(tmp_path) == 1
        reader = threads.submit(LOOKS[name], store)
        with pytest.raises(TimeoutError):
            reader.result(0.05)
        assert (known.seq, known.sessions) == (0, {})
    assert reader.result(30) == 1
    assert list(known.sessions) == ["first"]


def test_a_sync_covers_nothing_that_was_written_after_it_began(
    store: FileStore, disk: GatedDisk, threads: ThreadPoolExecutor, tmp_path: Path
) -> None:
    """A late command, sent during a sync, is written after it and needs its own sync."""
    with busy(store, disk, threads):
        disk.log.clear()
        late = threads.submit(store.execute, [event("late", START)])
        queued(store, 1)
        assert line_count(tmp_path) == 1
    late.result(30)
    assert journal_calls(disk) == ["sync", "write", "sync"]


def test_who_comes_during_a_sync_shares_one_write_and_the_next_sync(
    store: FileStore, disk: GatedDisk, threads: ThreadPoolExecutor, tmp_path: Path
) -> None:
    with busy(store, disk, threads):
        disk.log.clear()
        group = [threads.submit(store.execute, [event(f"s-{number}", START)]) for number in range(THREADS - 1)]
        queued(store, THREADS - 1)
    for number, each in enumerate(group):
        outcome = each.result(30)[0]
        assert isinstance(outcome, Outcome)
        assert outcome.session.session_id == f"s-{number}"
    assert journal_calls(disk) == ["sync", "write", "sync"]
    assert len(audit(journal_path(tmp_path)).entries) == THREADS


def test_a_look_in_a_group_shows_the_commands_of_the_group(
    store: FileStore, disk: GatedDisk, threads: ThreadPoolExecutor
) -> None:
    """A projection whose position is ahead of its state would hide entries from the next start."""
    with busy(store, disk, threads):
        copy = threads.submit(store._capture)
        queued(store, 1)
        late = threads.submit(store.execute, [event("late", START)])
        queued(store, 2)
    late.result(30)
    state, position = copy.result(30)
    assert (state.seq, list(state.sessions), position.seq) == (2, ["first", "late"], 2)


def test_the_lock_is_free_during_a_sync(
    store: FileStore, disk: GatedDisk, threads: ThreadPoolExecutor, tmp_path: Path
) -> None:
    other = file_store(tmp_path, disk=HastyDisk())
    with busy(store, disk, threads):
        other.execute([event("other", START)])
        assert list(state_of(other).sessions) == ["first", "other"]
    assert list(state_of(store).sessions) == ["first", "other"]
    other.close()


def test_a_duplicate_is_not_answered_before_what_it_repeats_is_on_disk(
    store: FileStore, disk: GatedDisk, threads: ThreadPoolExecutor
) -> None:
    said = event("s-1", START, event_id="e-1")
    with held_sync(disk):
        first = threads.submit(store.execute, [said])
        assert disk.waiting.wait(30)
        again = threads.submit(store.execute, [said])
        with pytest.raises(TimeoutError):
            again.result(0.05)
        assert not first.done()
    assert kinds(first.result(30), again.result(30)) == ["recorded", "duplicate"]


def test_a_duplicate_of_what_another_process_wrote_needs_a_sync(
    store: FileStore, disk: GatedDisk, threads: ThreadPoolExecutor, tmp_path: Path
) -> None:
    """Its writer may not have synced it."""
    said = event("s-1", START, event_id="e-1")
    other = file_store(tmp_path, disk=HastyDisk())
    other.execute([said])
    disk.log.clear()
    with held_sync(disk):
        again = threads.submit(store.execute, [said])
        assert disk.waiting.wait(30)
        reader = threads.submit(lambda: state_of(store).seq)
        for each in (again, reader):
            with pytest.raises(TimeoutError):
                each.result(0.05)
    assert kinds(again.result(30)) == ["duplicate"]
    assert reader.result(30) == 1
    assert journal_calls(disk) == ["sync"]
    other.close()


def test_a_group_that_fails_fails_each_of_its_callers(
    store: FileStore, disk: GatedDisk, threads: ThreadPoolExecutor, tmp_path: Path
) -> None:
    """A group is written completely or not at all, so all its callers get the error."""
    with busy(store, disk, threads):
        disk.script("write", JOURNAL, Fail(errno.ENOSPC))
        group = [threads.submit(store.execute, [event(f"s-{number}", START)]) for number in range(1, THREADS)]
        queued(store, THREADS - 1)
    for each in group:
        with pytest.raises(Unavailable, match="make space"):
            each.result(30)
    assert state_of(store).seq == 1
    store.execute([event("first", HEARTBEAT, NOON_MS + 1000)])
    assert [entry["session"]["session_id"] for entry in audit(journal_path(tmp_path)).entries] == ["first", "first"]


def test_a_sync_that_fails_fails_each_of_its_group(
    store: FileStore, disk: GatedDisk, threads: ThreadPoolExecutor, tmp_path: Path
) -> None:
    with busy(store, disk, threads):
        disk.log.clear()
        disk.script("sync", JOURNAL, None, Fail(errno.EIO))
        group = [threads.submit(store.execute, [event(f"s-{number}", START)]) for number in range(4)]
        queued(store, 4)
    for each in group:
        with pytest.raises(Unavailable, match="a sync failed"):
            each.result(30)
    assert journal_calls(disk) == ["sync", "write", "sync"]
    assert line_count(tmp_path) == 5


def test_a_sync_that_fails_stops_those_that_wait_behind_it(
    store: FileStore, disk: GatedDisk, threads: ThreadPoolExecutor, tmp_path: Path
) -> None:
    known = store._journal.state
    disk.script("sync", JOURNAL, Fail(errno.EIO))
    with held_sync(disk):
        first = threads.submit(store.execute, [event("first", START)])
        assert disk.waiting.wait(30)
        behind = [threads.submit(store.execute, [event(f"s-{number}", START)]) for number in range(4)]
        queued(store, 4)
        disk.log.clear()
    for each in (first, *behind):
        with pytest.raises(Unavailable, match="a sync failed"):
            each.result(30)
    assert journal_calls(disk) == ["sync"]
    assert line_count(tmp_path) == 1
    assert known.seq == 0
