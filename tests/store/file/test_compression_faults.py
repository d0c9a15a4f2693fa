"""Compression while disks fail and processes die loses no line and blocks nobody."""

import errno
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from payments.disk.lock import HotLock, brief_lock
from payments.domain.sessions import HEARTBEAT, START
from payments.errors import Corrupt, Unavailable
from payments.store import EntryQuery
from payments.store.file.halt import mark_path
from payments.store.file.segments import compressed_path, sealed_segments
from payments.store.file.store import FileStore
from tests.audit import audit
from tests.disk.scripted import Fail, HastyDisk, ScriptedDisk, Take
from tests.harness import NOON_MS, event, file_store, journal_path, lock_path, projections, state_of
from tests.store.file.history import facts
from tests.store.store_fixture import all_entries

JOURNAL = "ledger-events.log"
FIRST = f"{JOURNAL}.{1:020d}"
SEGMENT_BYTES = 4096
EVENTS = 12


def opened(folder: Path, disk: HastyDisk | ScriptedDisk | None = None) -> FileStore:
    return file_store(folder, disk=disk or HastyDisk(), segment_bytes=SEGMENT_BYTES)


def beat(store: FileStore, numbers: range) -> None:
    """Events that become the entries ``numbers`` + 1."""
    for number in numbers:
        store.execute([event("s-1", HEARTBEAT if number else START, NOON_MS + 1000 * number)])


def sealed(folder: Path) -> list[Path]:
    return [path for _, path in sealed_segments(journal_path(folder))]


def names(folder: Path) -> set[str]:
    return {path.name for path in journal_path(folder).parent.iterdir() if path.suffix != ".lock"}


def forget_projections(folder: Path) -> None:
    for path in projections(folder):
        path.unlink()


class Died(BaseException):
    """Simulates a dead process: no error handler catches it."""


class Doomed(HastyDisk):
    """A disk that does ``left`` more changing operations, then does ``fate``.

    Attributes:
        left: operations left; ``None``: no limit.
    """

    def __init__(self, fate: Callable[[], BaseException]) -> None:
        self.fate = fate
        self.left: int | None = None

    def _live(self) -> None:
        if self.left == 0:
            raise self.fate()
        if self.left is not None:
            self.left -= 1

    def open(self, path: Path, flags: int) -> int:
        self._live()
        return super().open(path, flags)

    def read(self, descriptor: int, length: int, offset: int) -> bytes:
        self._live()
        return super().read(descriptor, length, offset)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        self._live()
        return super().write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        self._live()

    def sync_folder(self, path: Path) -> None:
        self._live()

    def make_read_only(self, descriptor: int) -> None:
        self._live()
        super().make_read_only(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        self._live()
        super().replace(source, target)

    def remove(self, path: Path) -> None:
        self._live()
        super().remove(path)


@pytest.mark.parametrize(
    ("fate", "shown"),
    [(Died, Died), (lambda: OSError(errno.EIO, os.strerror(errno.EIO)), Unavailable)],
    ids=["dies", "fails"],
)
def test_whatever_operation_is_the_last_one_the_next_run_goes_on(
    fate: Callable[[], BaseException], shown: type[BaseException], tmp_path: Path
) -> None:
    finished = 0
    for left in range(200):
        folder = tmp_path / str(left)
        disk = Doomed(fate)
        store = opened(folder, disk)
        beat(store, range(EVENTS))
        known, want = facts(store), all_entries(store)
        disk.left = left
        try:
            store.maintain()
            finished += 1
        except shown:
            pass
        disk.left = None
        assert len(audit(journal_path(folder)).entries) == EVENTS
        assert all_entries(store) == want
        forget_projections(folder)
        again = opened(folder)
        assert facts(again) == known
        again.maintain()
        assert {Path(name).suffix for name in names(folder)} == {".gz", ".log"}
        assert all_entries(again) == all_entries(store) == want
        assert len(audit(journal_path(folder)).entries) == EVENTS
        again.close()
        store.close()
        if finished:
            break
    assert finished == 1
    assert left > 30


def check_they_go_on(one: FileStore, other: FileStore, folder: Path) -> None:
    """Check that both stores have all ``EVENTS`` entries and a new one of ``one``; close them."""
    assert facts(one) == facts(other)
    beat(one, range(EVENTS, EVENTS + 1))
    assert facts(one) == facts(other)
    one.close()
    other.close()
    assert len(audit(journal_path(folder)).entries) == EVENTS + 1


def test_the_plain_form_goes_when_the_other_is_on_disk_by_its_name(tmp_path: Path) -> None:
    disk = ScriptedDisk()
    store = file_store(tmp_path, disk=disk, segment_bytes=1)
    beat(store, range(2))
    disk.log.clear()
    store.maintain()
    new = f"{FIRST}.gz.new"
    assert disk.log == [
        ("open", FIRST),
        ("open", new), ("write", new), ("write", new),
        ("open", new), ("sync", new), ("forget_cache", new),
        ("replace", f"{FIRST}.gz"), ("sync_folder", "audit"),
        ("remove", FIRST), ("sync_folder", "audit"),
    ]  # fmt: skip
    store.close()


NO_SPACE = Fail(errno.ENOSPC)


@pytest.mark.parametrize("steps", [[NO_SPACE], [Take(1), NO_SPACE], [Take(700), NO_SPACE]], ids=["0", "1", "700"])
def test_a_full_disk_leaves_the_plain_one_and_gives_back_what_was_taken(
    steps: list[Fail | Take], tmp_path: Path
) -> None:
    disk = ScriptedDisk()
    store = opened(tmp_path, disk)
    beat(store, range(EVENTS))
    before = {path: path.read_bytes() for path in sealed(tmp_path)}
    disk.script("write", f"{FIRST}.gz.new", *steps)
    with pytest.raises(Unavailable, match=r"ledger-events\.log: its sealed segments cannot be compressed \(No space"):
        store.maintain()
    assert {path: path.read_bytes() for path in sealed(tmp_path)} == before
    assert names(tmp_path) == {*(path.name for path in before), JOURNAL}
    store.maintain()
    assert sealed(tmp_path) == [compressed_path(path) for path in before]
    store.close()


class Lying(HastyDisk):
    """A disk that corrupts the byte at ``where`` of a compressed segment."""

    def __init__(self, where: int) -> None:
        self.where = where

    def sync(self, descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if path.suffix == ".new":
            data = bytearray(path.read_bytes())
            data[self.where] ^= 1
            path.write_bytes(data)


@pytest.mark.parametrize("where", [0, 16, 200, -1])
def test_a_copy_that_does_not_come_back_from_the_disk_as_it_was_replaces_nothing(where: int, tmp_path: Path) -> None:
    store = opened(tmp_path)
    beat(store, range(EVENTS))
    store.close()
    before = names(tmp_path)
    store = opened(tmp_path, Lying(where))
    with pytest.raises(Corrupt, match=rf"{FIRST}\.gz\.new does not hold what .*{FIRST} does, which stays in use"):
        store.maintain()
    assert names(tmp_path) == before
    store.close()


def test_second_compressor_leaves_at_once(tmp_path: Path) -> None:
    store = opened(tmp_path)
    beat(store, range(EVENTS))
    before = names(tmp_path)
    with brief_lock(journal_path(tmp_path).with_name(f"{JOURNAL}.compress.lock"), timeout_s=0):
        store.maintain()
    assert names(tmp_path) == before
    store.maintain()
    assert names(tmp_path) != before
    store.close()


def test_the_journals_lock_is_not_needed(tmp_path: Path) -> None:
    store = opened(tmp_path)
    beat(store, range(EVENTS))
    lock = HotLock(lock_path(tmp_path))
    lock.acquire()
    store.maintain()
    assert {path.suffix for path in sealed(tmp_path)} == {".gz"}
    lock.release()
    lock.close()
    store.close()


def test_after_a_failed_sync_nothing_is_thrown_away_before_a_restart(tmp_path: Path) -> None:
    store = opened(tmp_path)
    beat(store, range(EVENTS))
    mark_path(journal_path(tmp_path)).write_text("a sync failed\n")
    before = names(tmp_path)
    with pytest.raises(Unavailable, match=r"halted exists: a sync failed; nothing is compressed until a restart"):
        store.maintain()
    assert names(tmp_path) == before
    store.close()


class Interrupted(HastyDisk):
    """A disk that runs an action once, just before or after ``path`` is opened."""

    def __init__(self, name: str, happening: Callable[[], object], *, after: bool = False) -> None:
        self.name = name
        self.happening: Callable[[], object] | None = happening
        self.after = after

    def open(self, path: Path, flags: int) -> int:
        if path.name != self.name or self.happening is None:
            return super().open(path, flags)
        happening, self.happening = self.happening, None
        if self.after:
            descriptor = super().open(path, flags)
            happening()
            return descriptor
        happening()
        return super().open(path, flags)


@pytest.mark.parametrize("after", [False, True], ids=["before it is opened", "when it is open"])
def test_a_segment_may_be_compressed_under_a_reader(after: bool, tmp_path: Path) -> None:
    writer = opened(tmp_path)
    beat(writer, range(EVENTS))
    disk = Interrupted(FIRST, writer.maintain, after=after)
    reader = opened(tmp_path, disk)
    assert [entry.seq for entry in reader.entries(EntryQuery()).items] == list(range(EVENTS, 0, -1))
    assert disk.happening is None
    assert {path.suffix for path in sealed(tmp_path)} == {".gz"}
    reader.close()
    writer.close()


@pytest.mark.parametrize("after", [False, True], ids=["before it is opened", "when it is open"])
def test_a_segment_may_be_compressed_under_a_start(after: bool, tmp_path: Path) -> None:
    writer = opened(tmp_path)
    beat(writer, range(EVENTS))
    forget_projections(tmp_path)
    disk = Interrupted(FIRST, writer.maintain, after=after)
    starter = opened(tmp_path, disk)
    assert disk.happening is None
    assert facts(starter) == facts(writer)
    starter.close()
    writer.close()


@pytest.mark.parametrize("compressed", [False, True], ids=["sealed", "compressed"])
@pytest.mark.parametrize("projections", ["kept", "gone"])
def test_the_active_file_may_be_sealed_when_a_start_has_opened_it_and_not_yet_the_lock(
    projections: str, compressed: bool, tmp_path: Path
) -> None:
    writer = opened(tmp_path)
    beat(writer, range(3))

    def go_on() -> None:
        beat(writer, range(3, EVENTS))
        if compressed:
            writer.maintain()
        if projections == "gone":
            forget_projections(tmp_path)

    starter = opened(tmp_path, Interrupted(JOURNAL, go_on, after=True))
    check_they_go_on(starter, writer, tmp_path)


@pytest.mark.parametrize("read", range(1, 5), ids=lambda read: f"had read {read}")
def test_who_was_left_behind_takes_up_what_was_sealed_and_compressed_since(read: int, tmp_path: Path) -> None:
    one, other = opened(tmp_path), opened(tmp_path)
    beat(other, range(read))
    assert state_of(one).seq == read
    beat(other, range(read, EVENTS))
    other.maintain()
    check_they_go_on(one, other, tmp_path)


def test_writers_readers_starts_and_compression_go_on_together(tmp_path: Path) -> None:
    """Each thread has its own store, like a process; a reader sees all entries up to the newest it sees."""
    opened(tmp_path).close()
    is_written = threading.Event()
    turns = [0] * 4

    def write(name: str) -> int:
        """Write until each of the others has had its turns, which may take long on a busy machine."""
        store, number = opened(tmp_path), 0
        while number < 60 or min(turns) < 2:
            store.execute([event(name, HEARTBEAT if number else START, NOON_MS + 1000 * number)])
            number += 1
        store.close()
        return number

    def repeat(index: int, step: Callable[[FileStore], object], *, anew: bool) -> None:
        store = opened(tmp_path)
        while not is_written.is_set():
            if anew:
                store.close()
                store = opened(tmp_path)
            step(store)
            turns[index] += 1
        store.close()

    def read(store: FileStore) -> None:
        seen = [entry.seq for entry in all_entries(store, limit=30)]
        assert seen == list(range(len(seen), 0, -1))

    with ThreadPoolExecutor(6) as threads:
        steps = ((FileStore.maintain, False), (FileStore.maintain, True), (read, False), (read, True))
        others = [threads.submit(repeat, index, step, anew=anew) for index, (step, anew) in enumerate(steps)]
        for other in others:
            # A failed thread takes no more turns; writers must not wait for it.
            other.add_done_callback(lambda done: turns.__setitem__(slice(None), [2] * 4) if done.exception() else None)
        writers = [threads.submit(write, name) for name in ("one", "two")]
        try:
            written = sum(writer.result() for writer in writers)
        finally:
            is_written.set()
        for other in others:
            other.result()
    opened(tmp_path).maintain()
    assert {Path(name).suffix for name in names(tmp_path)} == {".gz", ".log"}
    assert len(audit(journal_path(tmp_path)).entries) == written


def test_a_compressed_segment_of_another_journal_is_not_taken_for_the_one_that_was_open(tmp_path: Path) -> None:
    left, other = opened(tmp_path), opened(tmp_path / "other")
    beat(left, range(2))
    beat(other, range(1))
    beat(other, range(2, EVENTS))
    other.maintain()
    journal_path(tmp_path).unlink()
    (foreign,) = [path for path in sealed(tmp_path / "other") if path.name == f"{FIRST}.gz"]
    journal_path(tmp_path).with_name(foreign.name).write_bytes(foreign.read_bytes())
    with pytest.raises(Unavailable, match="was removed or cut short under a running process"):
        beat(left, range(2, 3))
    assert not journal_path(tmp_path).exists()
    other.close()
