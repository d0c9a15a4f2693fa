"""Threads share syncs, and no answer leaves before a sync that covers what it rests on."""

import errno
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from payments.disk import Disk
from payments.domain.billing import Outcome
from payments.domain.sessions import HEARTBEAT, START
from payments.errors import Unavailable
from payments.store.file.store import FileStore
from tests.audit import audit
from tests.disk.scripted import Fail, ScriptedDisk
from tests.harness import NOON_MS, event, file_store, journal_path, until

THREADS, COMMANDS = 16, 25
SYNC_TAKES_S = 0.01


class Return(NamedTuple):
    """What was known when an ``execute`` returned.

    Attributes:
        session_id: of the session that it began; ``covered``: how many bytes of the journal a sync had covered then.
    """

    session_id: str
    covered: int


class LedgerOfSyncs(Disk):
    """Slow syncs, and how much of the journal they cover: what was written before they began.

    Attributes:
        covered: bytes of the journal on disk; ``syncs`` counts the syncs of it.
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


class GatedDisk(ScriptedDisk):
    """A disk whose syncs of the journal wait for the test."""

    def __init__(self, descriptor_of: str = "ledger-events.log") -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.waiting = threading.Event()
        self._gated = descriptor_of

    def sync(self, descriptor: int) -> None:
        if self.name_of(descriptor) == self._gated and not self.gate.is_set():
            self.waiting.set()
            assert self.gate.wait(30)
        super().sync(descriptor)


@contextmanager
def held_sync(disk: GatedDisk) -> Iterator[None]:
    """Let the next syncs wait until the block ends."""
    disk.waiting.clear()
    disk.gate.clear()
    try:
        yield
    finally:
        disk.gate.set()


def begin_sessions(store: FileStore, disk: LedgerOfSyncs, thread: int) -> list[Return]:
    """Begin ``COMMANDS`` sessions one by one."""
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
    assert disk.syncs <= commands / 4
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


def test_no_answer_leaves_before_its_sync_has_returned(tmp_path: Path) -> None:
    disk = GatedDisk()
    store = file_store(tmp_path, disk=disk)
    with ThreadPoolExecutor(4) as threads:
        with held_sync(disk):
            early = [threads.submit(store.execute, [event(f"early-{number}", START)]) for number in range(2)]
            assert disk.waiting.wait(30)
            until(lambda: len(journal_path(tmp_path).read_bytes().splitlines()) == 2)
            reader = threads.submit(store.view)
            with pytest.raises(TimeoutError):
                reader.result(0.05)
            assert not any(each.done() for each in early)
        assert [len(each.result(30)) for each in early] == [1, 1]
        assert reader.result(30).seq == 2
    store.close()


def test_a_sync_covers_nothing_that_was_written_after_it_began(tmp_path: Path) -> None:
    """The late command needs a sync of its own, although one was under way when it was written."""
    disk = GatedDisk()
    store = file_store(tmp_path, disk=disk)
    journal = journal_path(tmp_path)
    with ThreadPoolExecutor(2) as threads:
        with held_sync(disk):
            early = threads.submit(store.execute, [event("early", START)])
            assert disk.waiting.wait(30)
            late = threads.submit(store.execute, [event("late", START)])
            until(lambda: len(journal.read_bytes().splitlines()) == 2)
            disk.log.clear()
        early.result(30)
        late.result(30)
    store.close()
    assert [call for call in disk.log if call == ("sync", journal.name)] == [("sync", journal.name)] * 2


def test_a_duplicate_is_not_answered_before_what_it_repeats_is_on_disk(tmp_path: Path) -> None:
    disk = GatedDisk()
    store, said = file_store(tmp_path, disk=disk), event("s-1", START, event_id="e-1")
    with ThreadPoolExecutor(2) as threads:
        with held_sync(disk):
            first = threads.submit(store.execute, [said])
            assert disk.waiting.wait(30)
            again = threads.submit(store.execute, [said])
            with pytest.raises(TimeoutError):
                again.result(0.05)
            assert not first.done()
        kinds = [result.kind for each in (first, again) for result in each.result(30) if isinstance(result, Outcome)]
        assert kinds == ["recorded", "duplicate"]
    store.close()


def test_a_group_that_fails_fails_each_of_its_callers(tmp_path: Path) -> None:
    """All of it or nothing is written, so whoever was in it is told."""
    disk = GatedDisk()
    store = file_store(tmp_path, disk=disk)
    store.execute([event("s-0", START)])
    disk.broken["write", "ledger-events.log"] = Fail(errno.ENOSPC)
    with ThreadPoolExecutor(THREADS) as threads:
        waiting = [threads.submit(store.execute, [event(f"s-{number}", START)]) for number in range(1, THREADS)]
        for each in waiting:
            with pytest.raises(Unavailable, match="make space"):
                each.result(30)
    assert store.view().seq == 1
    disk.broken.clear()
    store.execute([event("s-0", HEARTBEAT, NOON_MS + 1000)])
    store.close()
    assert [entry["session"]["session_id"] for entry in audit(journal_path(tmp_path)).entries] == ["s-0", "s-0"]


def test_a_sync_that_fails_fails_each_of_those_that_wait_for_it(tmp_path: Path) -> None:
    disk = GatedDisk()
    store = file_store(tmp_path, disk=disk)
    disk.script("sync", "ledger-events.log", Fail(errno.EIO))
    with ThreadPoolExecutor(4) as threads:
        with held_sync(disk):
            waiting = [threads.submit(store.execute, [event(f"s-{number}", START)]) for number in range(4)]
            until(lambda: len(journal_path(tmp_path).read_bytes().splitlines()) == 4)
        for each in waiting:
            with pytest.raises(Unavailable, match="a sync failed"):
                each.result(30)
    assert disk.log.count(("sync", "ledger-events.log")) == 2
    store.close()
