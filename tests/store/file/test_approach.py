"""Whoever has had no turn for long reads what was recorded meanwhile before it asks for the lock, not under it."""

import errno
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from payments.disk import Disk
from payments.disk.lock import HotLock
from payments.domain.entries import Entry
from payments.domain.sessions import START
from payments.domain.state import State, evolve
from payments.errors import Unavailable
from payments.store.file import ahead, shared, snapshot
from payments.store.file.journal import Journal
from payments.store.file.shared import SharedJournal
from payments.store.file.snapshot import Paths
from payments.store.file.store import FileStore
from tests.disk.scripted import Fail, HastyDisk, ScriptedDisk
from tests.harness import Clock, event, file_store, journal_path, lock_path, projections, until

COMMANDS = 60
SEGMENT_BYTES = [pytest.param(1 << 28, id="one segment"), pytest.param(12_000, id="several segments")]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A moment is long, and a few lines are many."""
    monkeypatch.setattr(shared, "_LONG_S", 0.0)
    monkeypatch.setattr(ahead, "_FEW_BYTES", 2000)


def joined(folder: Path, segment_bytes: int = 1 << 28, disk: Disk | None = None) -> SharedJournal:
    """The journal in ``folder``, as a process has it that is about to have no turn for long."""
    return SharedJournal(disk or HastyDisk(), journal_path(folder), projections(folder), Clock(), segment_bytes)


def record(store: FileStore, count: int = COMMANDS) -> None:
    for number in range(count):
        store.execute([event(f"s-{number}", START)])


@contextmanager
def turn_wanted(journal: SharedJournal) -> Iterator[None]:
    """Meanwhile ``journal`` wants a turn, and another process has the lock."""

    def take() -> None:
        with journal.turn():
            pass

    holder = HotLock(lock_path(journal.journal.path.parent.parent))
    holder.acquire()
    with ThreadPoolExecutor(1) as threads:
        try:
            turn = threads.submit(take)
            until(lambda: journal.waits)
            yield
        finally:
            holder.close()
        turn.result(30)


@pytest.mark.parametrize("segment_bytes", SEGMENT_BYTES)
def test_what_is_settled_is_folded_while_another_has_the_lock(segment_bytes: int, tmp_path: Path) -> None:
    store = file_store(tmp_path, disk=HastyDisk(), segment_bytes=segment_bytes)
    journal = joined(tmp_path, segment_bytes)
    record(store)
    with turn_wanted(journal):
        assert journal.state.seq >= COMMANDS - 4
    assert journal.state == store.view()
    assert journal.state.seq == COMMANDS
    store.close()
    journal.close()


def test_whoever_had_a_turn_just_now_reads_on_under_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "_LONG_S", 60.0)
    store = file_store(tmp_path, disk=HastyDisk())
    journal = joined(tmp_path)
    record(store)
    with turn_wanted(journal):
        assert journal.state.seq == 0
    assert journal.state.seq == COMMANDS
    store.close()
    journal.close()


def test_what_may_yet_be_cut_off_is_not_folded(tmp_path: Path) -> None:
    """A group that is being written: no line says of any of it that it is on disk."""
    store = file_store(tmp_path / "here", disk=HastyDisk())
    record(store, 5)
    store.close()
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    other = file_store(tmp_path / "there", disk=HastyDisk())
    other.execute([event(f"t-{number}", START) for number in range(50)])
    other.close()
    journal = joined(tmp_path / "here")
    path = journal_path(tmp_path / "here")
    before = path.read_bytes()
    path.write_bytes(journal_path(tmp_path / "there").read_bytes())
    with turn_wanted(journal):
        assert journal.state.seq == 5
        path.write_bytes(before)
    assert journal.state.seq == 5
    assert sorted(journal.state.sessions) == [f"s-{number}" for number in range(5)]
    journal.close()


def test_a_folder_that_cannot_be_synced_before_the_turn_stops_this_writer_too(tmp_path: Path) -> None:
    """To open the next file takes that; what a second sync says would prove nothing."""
    store = file_store(tmp_path, disk=HastyDisk(), segment_bytes=12_000)
    disk = ScriptedDisk()
    journal = joined(tmp_path, 12_000, disk)
    record(store)
    disk.script("sync_folder", "audit", Fail(errno.EIO))
    for _ in range(2):
        with pytest.raises(Unavailable, match="a sync failed"), journal.turn():
            pass
    store.close()
    journal.close()


@pytest.mark.parametrize(
    "place", ["read_behind_seal", "peek"], ids=["while a sealed file is read", "while the next file is read"]
)
def test_what_is_sealed_while_others_are_read_is_not_read_under_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Else everybody waits for as long as that takes: at full load, a file is sealed every few seconds."""
    monkeypatch.setattr(shared, "_FEW_ENTRIES", 8)
    store = file_store(tmp_path, disk=HastyDisk(), segment_bytes=12_000)
    journal = joined(tmp_path, 12_000)
    record(store, 70)
    other = HotLock(lock_path(tmp_path))
    counts = iter([40, 20, 10])
    under_lock: list[int] = []
    read: Any = getattr(Journal, place)

    def lock_is_free() -> bool:
        is_free = other.acquire_now()
        if is_free:
            other.release()
        return is_free

    def read_and_be_overtaken(self: Journal, *arguments: int) -> Any:
        found = list(read(self, *arguments))
        if self is journal.journal and lock_is_free():
            record(store, next(counts, 0))
        return found

    def evolve_and_note(state: State, entry: Entry) -> None:
        if not lock_is_free():
            under_lock.append(entry.seq)
        evolve(state, entry)

    monkeypatch.setattr(Journal, place, read_and_be_overtaken)
    monkeypatch.setattr(shared, "evolve", evolve_and_note)
    with journal.turn():
        assert journal.state.seq == 140
    assert len(under_lock) < 10
    assert journal.state == store.view()
    other.close()
    store.close()
    journal.close()


@pytest.mark.parametrize("tail", [b"\0" * 512, b"half a line"], ids=["zeros", "half"])
def test_what_cannot_be_read_is_left_to_the_turn(tail: bytes, tmp_path: Path) -> None:
    store = file_store(tmp_path, disk=HastyDisk())
    journal = joined(tmp_path)
    record(store)
    with journal_path(tmp_path).open("ab") as file:
        file.write(tail)
    with turn_wanted(journal):
        pass
    assert journal.state.seq == COMMANDS
    store.close()
    journal.close()


@pytest.mark.parametrize("segment_bytes", SEGMENT_BYTES)
def test_a_start_reads_the_projections_while_another_has_the_lock(
    segment_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = file_store(tmp_path, disk=HastyDisk(), segment_bytes=segment_bytes)
    record(store)
    are_read = threading.Event()

    def read(paths: Paths) -> snapshot.Found:
        found = usual(paths)
        are_read.set()
        return found

    usual = snapshot.read
    monkeypatch.setattr(snapshot, "read", read)
    holder = HotLock(lock_path(tmp_path))
    holder.acquire()
    with ThreadPoolExecutor(1) as threads:
        starting = threads.submit(joined, tmp_path, segment_bytes)
        assert are_read.wait(30)
        assert not starting.done()
        holder.release()
        journal = starting.result(30)
    assert journal.state == store.view()
    holder.close()
    store.close()
    journal.close()


def test_segments_that_are_sealed_meanwhile_are_all_read(tmp_path: Path) -> None:
    """Every few entries one, while somebody reads on all the time, without the lock and with it."""
    store = file_store(tmp_path, disk=HastyDisk(), segment_bytes=2000)
    journal = joined(tmp_path, 2000)
    with ThreadPoolExecutor(1) as threads:
        recording = threads.submit(record, store, 1500)
        while not recording.done():
            with journal.turn():
                assert journal.state.seq == journal.journal.position.seq
        recording.result()
    with journal.turn():
        assert journal.state == store.view()
    assert journal.state.seq == 1500
    store.close()
    journal.close()
