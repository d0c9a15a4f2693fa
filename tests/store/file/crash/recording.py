"""A disk that keeps a log of all that changes it, with the data, so that any moment of it can be made again."""

import errno
import os
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import NamedTuple, TypeAlias

from tests.disk.scripted import HastyDisk


class MakeFolder(NamedTuple):
    """A folder gets a name. Paths are relative to the recorded folder, here and below."""

    path: str


class Create(NamedTuple):
    """A new, empty file gets a name; ``file`` is the number that it keeps under every name."""

    path: str
    file: int


class Write(NamedTuple):
    """The bytes that were taken, and where they went."""

    file: int
    offset: int
    data: bytes


class Truncate(NamedTuple):
    """The file is cut to ``size``."""

    file: int
    size: int


class MakeReadOnly(NamedTuple):
    """The file's mode becomes 0400."""

    file: int


class Sync(NamedTuple):
    """A sync returned. It covers what stood in the log before index ``begun``: for later writes it was too early."""

    file: int
    begun: int


class Replace(NamedTuple):
    """The file called ``source`` is called ``target``, and whatever was called that has lost its name."""

    source: str
    target: str


class Remove(NamedTuple):
    """A file loses its name."""

    path: str


class SyncFolder(NamedTuple):
    """The names in the folder are on disk."""

    path: str


Operation: TypeAlias = MakeFolder | Create | Write | Truncate | MakeReadOnly | Sync | Replace | Remove | SyncFolder


class RecordingDisk(HastyDisk):
    """Does everything to real files, except that a sync is only recorded; one thread at a time.

    Attributes:
        log: what was done, oldest first.
        before_sync: called when a sync of a file has begun, and before it returns.
        room_bytes: so many more bytes fit into appended files, then the disk is full, once; ``None``: enough.
        can_cut: ``False`` lets the next truncation fail.
    """

    def __init__(self, folder: Path) -> None:
        self.log: list[Operation] = []
        self.before_sync: Callable[[], None] = lambda: None
        self.room_bytes: int | None = None
        self.can_cut = True
        self._folder = folder
        self._numbers = count()
        self._named: dict[Path, int] = {}
        self._opened: dict[int, int] = {}
        self._appended: set[int] = set()

    def open(self, path: Path, flags: int) -> int:
        descriptor = super().open(path, flags)
        if path not in self._named:
            self._named[path] = next(self._numbers)
            self.log.append(Create(self._name(path), self._named[path]))
        elif flags & os.O_TRUNC:
            self.log.append(Truncate(self._named[path], 0))
        self._opened[descriptor] = self._named[path]
        if flags & os.O_APPEND:
            self._appended.add(descriptor)
        return descriptor

    def close(self, descriptor: int) -> None:
        del self._opened[descriptor]
        self._appended.discard(descriptor)
        super().close(descriptor)

    def make_folder(self, path: Path) -> None:
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        self.log += [MakeFolder(self._name(folder)) for folder in reversed(missing)]
        super().make_folder(path)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        if self.room_bytes is not None and descriptor in self._appended:
            if not self.room_bytes:
                self.room_bytes = None
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            data = data[: self.room_bytes]
            self.room_bytes -= len(data)
        # Nothing here writes anywhere but at the end.
        offset = self.size(descriptor)
        taken = super().write(descriptor, data)
        self.log.append(Write(self._opened[descriptor], offset, bytes(data[:taken])))
        return taken

    def sync(self, descriptor: int) -> None:
        file, begun = self._opened[descriptor], len(self.log)
        self.before_sync()
        self.log.append(Sync(file, begun))

    def truncate(self, descriptor: int, size: int) -> None:
        if not self.can_cut:
            self.can_cut = True
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().truncate(descriptor, size)
        self.log.append(Truncate(self._opened[descriptor], size))

    def make_read_only(self, descriptor: int) -> None:
        super().make_read_only(descriptor)
        self.log.append(MakeReadOnly(self._opened[descriptor]))

    def replace(self, source: Path, target: Path) -> None:
        super().replace(source, target)
        self._named[target] = self._named.pop(source)
        self.log.append(Replace(self._name(source), self._name(target)))

    def remove(self, path: Path) -> None:
        super().remove(path)
        del self._named[path]
        self.log.append(Remove(self._name(path)))

    def sync_folder(self, path: Path) -> None:
        self.log.append(SyncFolder(self._name(path)))

    def _name(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix()
