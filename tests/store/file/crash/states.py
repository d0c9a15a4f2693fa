"""What a power cut can leave on disk. Pure.

The rules model the worst case of a journaling file system in its usual modes:

* Data covered by a completed sync is there.
* Names change in order within a folder; changes since its last sync are lost from some point on. Folders are
  independent of each other and of file contents.
* Changes of a file's size are kept up to some point in their order. Below that size, each sector of 512 bytes
  that changed since the last sync may be missing; a missing sector has zeros, or, below a truncation that was lost, its
  content before the truncation. Beyond a truncation, memory has zeros to the end of the sector.
* A mode may be lost until any folder is synced.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import PurePosixPath
from typing import NamedTuple, TypeAlias

from tests.store.file.crash.recording import (
    Create,
    MakeFolder,
    MakeReadOnly,
    Operation,
    Remove,
    Replace,
    Sync,
    SyncFolder,
    Truncate,
    Write,
)

SECTOR = 512
_FOLDER = -1


class Remains(NamedTuple):
    """A file after the crash."""

    data: bytes
    read_only: bool = False


CrashState: TypeAlias = frozenset[tuple[str, Remains]]
"""Files by path. An empty folder equals a missing one, because opening a store creates it."""

Change: TypeAlias = Write | Truncate


class Volume:
    """A disk at some point of a log: its certain content, and pending changes."""

    def __init__(self) -> None:
        self._position = 0
        self._data: dict[int, bytes] = {}
        self._changes: dict[int, list[tuple[int, Change]]] = {}
        self._read_only: dict[int, bool] = {}
        self._modes_pending: set[int] = set()
        self._names: dict[str, int] = {}
        self._renames: dict[str, list[Operation]] = {}

    def apply(self, operation: Operation) -> None:
        """Apply the next operation of the log."""
        match operation:
            case Write(file) | Truncate(file):
                self._changes[file].append((self._position, operation))
            case Sync(file, begun):
                self._settle(file, begun)
            case MakeReadOnly(file):
                self._read_only[file] = True
                self._modes_pending.add(file)
            case SyncFolder(path):
                for pending in self._renames.pop(path, []):
                    _rename(self._names, pending)
                self._modes_pending.clear()
            case Create(path, file):
                self._data[file], self._changes[file], self._read_only[file] = b"", [], False
                self._renames.setdefault(_folder(path), []).append(operation)
            case MakeFolder(path) | Remove(path) | Replace(path, _):
                self._renames.setdefault(_folder(path), []).append(operation)
        self._position += 1

    def states(self) -> Iterator[CrashState]:
        """All disks that a crash at this moment can leave; some of them repeatedly.

        If several files have pending changes, each goes through all its variants while the others have lost everything,
        and while they have lost nothing.
        """
        remains = {file: list(self._remains(file)) for file in self._data}
        for names in self._namespaces():
            files = {path: file for path, file in names.items() if file != _FOLDER and _is_reachable(path, names)}
            for pick in (0, -1):
                others = {path: remains[file][pick] for path, file in files.items()}
                yield frozenset(others.items())
                for path, file in files.items():
                    if len(remains[file]) > 1:
                        for variant in remains[file]:
                            yield frozenset({**others, path: variant}.items())

    def _settle(self, file: int, begun: int) -> None:
        covered = [change for position, change in self._changes[file] if position < begun]
        for change in covered:
            self._data[file] = _changed(self._data[file], change)
        del self._changes[file][: len(covered)]

    def _remains(self, file: int) -> Iterator[Remains]:
        """Variants, from everything lost to nothing lost."""
        modes = [False, True] if file in self._modes_pending else [self._read_only[file]]
        variants = contents(self._data[file], [change for _, change in self._changes[file]])
        for data in dict.fromkeys(variants):
            for mode in modes:
                yield Remains(data, mode)

    def _namespaces(self) -> Iterator[dict[str, int]]:
        for kept in product(*(range(len(pending) + 1) for pending in self._renames.values())):
            names = dict(self._names)
            for count, pending in zip(kept, self._renames.values(), strict=True):
                for operation in pending[:count]:
                    _rename(names, operation)
            yield names


def crash_states(log: Iterable[Operation]) -> Iterator[tuple[int, CrashState]]:
    """All disks that a crash can leave after each prefix of ``log``, by its length."""
    volume = Volume()
    yield from ((0, state) for state in volume.states())
    for length, operation in enumerate(log, start=1):
        volume.apply(operation)
        yield from ((length, state) for state in volume.states())


def contents(settled: bytes, changes: Sequence[Change]) -> Iterator[bytes]:
    """Possible contents of a file: ``settled`` is certain, ``changes`` are pending; the last has all changes."""
    yield settled
    images = [settled]
    for change in changes:
        images.append(_changed(images[-1], change))
    for number, image in enumerate(images[1:], start=1):
        since = changes[:number]
        yield from _holes(image, since)
        yield from _lost_cuts(images[: number + 1], since)
        yield image


def _holes(image: bytes, changes: Sequence[Change]) -> Iterator[bytes]:
    """Variants of ``image`` whose last change, if a write, is partly done."""
    last = changes[-1]
    if isinstance(last, Truncate):
        return
    yield image[: last.offset + len(last.data) // 2]
    yield image[:-1]
    for low, high in _sectors(_first_changed(changes), len(image)):
        yield _zeroed(image, low, high)
        yield _zeroed(image, low, len(image))
        yield _zeroed(image, _first_changed(changes), high)
    for change in changes[:-1]:
        if isinstance(change, Write):
            yield _zeroed(image, change.offset, min(len(image), change.offset + len(change.data)))


def _lost_cuts(images: Sequence[bytes], changes: Sequence[Change]) -> Iterator[bytes]:
    """Variants of the newest image with missing sectors, in a file whose truncation was lost."""
    for number, change in enumerate(changes):
        if isinstance(change, Truncate):
            before = images[number]
            newest = images[-1].ljust(len(before), b"\0")[: len(before)]
            for low, high in _sectors(min(change.size, _first_changed(changes)), len(before)):
                yield newest[:low] + before[low:]
                yield newest[:high] + before[high:]


def _sectors(low: int, high: int) -> Iterator[tuple[int, int]]:
    """The sectors of a file between two offsets; the first and the last may be parts."""
    for start in range(low - low % SECTOR, high, SECTOR):
        yield max(low, start), min(high, start + SECTOR)


def _first_changed(changes: Sequence[Change]) -> int:
    return min(change.offset if isinstance(change, Write) else change.size for change in changes)


def _zeroed(image: bytes, low: int, high: int) -> bytes:
    return image[:low] + bytes(max(0, high - low)) + image[max(low, high) :]


def _changed(data: bytes, change: Change) -> bytes:
    if isinstance(change, Truncate):
        return data[: change.size]
    assert change.offset == len(data), "nothing here writes anywhere but at the end"
    return data + change.data


def _rename(names: dict[str, int], operation: Operation) -> None:
    match operation:
        case MakeFolder(path):
            names[path] = _FOLDER
        case Create(path, file):
            names[path] = file
        case Replace(source, target):
            names[target] = names.pop(source)
        case Remove(path):
            del names[path]


def _folder(path: str) -> str:
    return PurePosixPath(path).parent.as_posix()


def _is_reachable(path: str, names: Mapping[str, int]) -> bool:
    folder = _folder(path)
    return folder == "." or (folder in names and _is_reachable(folder, names))
