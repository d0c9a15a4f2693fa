"""Crash, start again, and hold the store to its word: for one recorded workload after the other."""

import errno
import os
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from hashlib import blake2b
from itertools import count
from pathlib import Path
from shutil import rmtree
from typing import NamedTuple
from unittest.mock import patch

from payments.domain.decisions import RECORDED, Outcome
from payments.domain.entries import Entry
from payments.domain.sessions import START
from payments.errors import PaymentsError
from payments.store.file.codec import decode
from payments.store.file.projector import Projector
from payments.store.file.segments import sealed_path, sealed_segments
from payments.store.file.store import FileStore
from tests.audit import audit, read_journal
from tests.disk.scripted import HastyDisk
from tests.harness import Clock, event, file_store, journal_path, state_of
from tests.store.accounts import check_fold
from tests.store.file.crash.recording import RecordingDisk
from tests.store.file.crash.states import CrashState, crash_states
from tests.store.file.crash.workload import SEGMENT_BYTES, WorkloadRecord, name_of, record

AFTER = "after-the-crash"


class Promises(NamedTuple):
    """By the command's name: what must be in a journal that was left by a crash, and what may be."""

    must: frozenset[str]
    may: frozenset[str]


class Failure(NamedTuple):
    """A state that the store did not come back from as it should; ``prefix`` is a length of the workload's log."""

    seed: int
    prefix: int
    state: CrashState
    problem: str


class Campaign(NamedTuple):
    """What was checked: ``states`` are distinct disks, ``journals`` distinct in what the journal's files hold."""

    workloads: int
    operations: int
    states: int
    journals: int
    failures: list[Failure]


class OwnersDisk(HastyDisk):
    """Keeps to the modes of files even where the tests run as root, for whom the system does not.

    Attributes:
        has_room: ``False`` spares the projections, which are half of the work, when nobody will look at them.
    """

    has_room = True

    def open(self, path: Path, flags: int) -> int:
        descriptor = super().open(path, flags)
        if flags & os.O_ACCMODE != os.O_RDONLY and not os.fstat(descriptor).st_mode & 0o200:
            self.close(descriptor)
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return descriptor

    def forget_cache(self, descriptor: int) -> None:
        """The system would write the file to the disk first."""

    def make_folder(self, path: Path) -> None:
        if not self.has_room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        if not path.is_dir():
            super().make_folder(path)


def run(folder: Path, states: int, make_disk: Callable[[Path], RecordingDisk] = RecordingDisk) -> Campaign:
    """Check at least ``states`` distinct states, in ``folder``, which is empty."""
    seen: set[bytes] = set()
    journals: set[bytes] = set()
    failures = []
    operations = 0
    for seed in count():
        recorded = record(folder / "workload", seed, make_disk)
        operations += len(recorded.log)
        for state, (first, last) in _spans(recorded).items():
            digest = _digest(state)
            if digest not in seen:
                seen.add(digest)
                journals.add(_digest(frozenset(file for file in state if file[0].startswith("audit/"))))
                problem = problem_of(folder / "crashed", state, promises(recorded, first, last), recorded.end_ms)
                if problem:
                    failures.append(Failure(seed, last, state, problem))
        rmtree(folder / "workload")
        if len(seen) >= states:
            return Campaign(seed + 1, operations, len(seen), len(journals), failures)
    raise AssertionError


def _spans(recorded: WorkloadRecord) -> dict[CrashState, tuple[int, int]]:
    """Every state with the first and the last prefix that can leave it."""
    spans: dict[CrashState, tuple[int, int]] = {}
    for prefix, state in crash_states(recorded.log):
        first, _ = spans.get(state, (prefix, prefix))
        spans[state] = first, prefix
    return spans


def promises(recorded: WorkloadRecord, first: int, last: int) -> Promises:
    """What holds of a state that a crash after ``first`` operations can leave, and after any more up to ``last``."""
    return Promises(
        frozenset(name for name, at in recorded.acknowledged.items() if at <= last),
        frozenset(name for name, at in recorded.sent.items() if at <= first),
    )


def _digest(state: CrashState) -> bytes:
    digest = blake2b(digest_size=16)
    for path, remains in sorted(state):
        digest.update(b"%b %d %d\n" % (path.encode(), len(remains.data), remains.read_only))
        digest.update(remains.data)
    return digest.digest()


def problem_of(folder: Path, state: CrashState, promises: Promises, now_ms: int) -> str | None:
    """What is wrong with a store that starts on ``state``, if anything is."""
    lay(folder, state)
    try:
        with patch.object(Projector, "follow"):
            _check(folder, state, promises, now_ms)
    except (PaymentsError, AssertionError, OSError, EOFError, ValueError, zlib.error) as error:
        return f"{type(error).__name__}: {error}"
    return None


def lay(folder: Path, state: CrashState) -> None:
    """Make ``folder`` hold the files of ``state``, and locks that nobody holds."""
    (folder / "audit").mkdir(parents=True, exist_ok=True)
    for place in (folder, folder / "audit"):
        for name in os.listdir(place):
            if name != "audit" and not name.endswith(".lock"):
                os.unlink(f"{place}/{name}")
    for name, (data, read_only) in state:
        descriptor = os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400 if read_only else 0o600)
        os.write(descriptor, data)
        os.close(descriptor)


def _check(folder: Path, state: CrashState, promises: Promises, now_ms: int) -> None:
    disk = OwnersDisk()
    journal = journal_path(folder)
    store = file_store(folder, clock=Clock(now_ms), disk=disk, segment_bytes=SEGMENT_BYTES)
    disk.has_room = False
    try:
        check_fold(_entries(read_journal(journal)), state_of(store))
        (result,) = store.execute([event(AFTER, START, now_ms, event_id=AFTER)])
        assert isinstance(result, Outcome)
        assert result.kind == RECORDED
        if any(".gz" in file for file, _ in state):
            _check_retention(store, journal)
    finally:
        store.close()
    joined = read_journal(journal)
    _audit(folder / "joined", joined)
    found = Counter(map(name_of, _entries(joined)))
    lost = sorted(promises.must - found.keys())
    assert not lost, f"acknowledged and lost: {lost}"
    invented = sorted(found.keys() - promises.may - {AFTER})
    assert not invented, f"never sent: {invented}"
    assert set(found.values()) == {1}, f"more than once: {found}"


def _check_retention(store: FileStore, journal: Path) -> None:
    """Upkeep goes on from where it was left, however that is; asked again about the same files, it remembers.

    All that it is told is where the journal is, so on files that are the same to the byte it does the same.
    """
    found = _files(journal.parent)
    if found not in _kept_up:
        joined = read_journal(journal)
        store.maintain()
        _check_compressed(journal)
        assert read_journal(journal) == joined, "upkeep changed what the journal holds"
        _kept_up.add(found)


_kept_up: set[bytes] = set()


def _files(folder: Path) -> bytes:
    """A digest of all that is in ``folder``: names, modes and content."""
    digest = blake2b(digest_size=16)
    for name in sorted(os.listdir(folder)):
        descriptor = os.open(f"{folder}/{name}", os.O_RDONLY)
        status = os.fstat(descriptor)
        digest.update(b"%b %d %o\n" % (name.encode(), status.st_size, status.st_mode))
        digest.update(os.read(descriptor, status.st_size))
        os.close(descriptor)
    return digest.digest()


def _check_compressed(journal: Path) -> None:
    left = [path.name for path in journal.parent.iterdir() if path.suffix == ".new"]
    left += [path.name for first_seq, path in sealed_segments(journal) if path == sealed_path(journal, first_seq)]
    assert not left, f"upkeep left {left}"


def _entries(joined: bytes) -> Iterator[Entry]:
    return map(_entry, joined.splitlines(keepends=True))


@lru_cache(1 << 12)
def _entry(line: bytes) -> Entry:
    return decode(line)[0]


@lru_cache(1 << 12)
def _audit(scratch: Path, joined: bytes) -> None:
    """Raises ``AssertionError`` unless the journal holds together; asked again about the same one, it remembers."""
    scratch.write_bytes(joined)
    audit(scratch)
