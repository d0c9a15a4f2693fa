"""The journal's segments: names of sealed ones, and how to read any segment.

A sealed segment is ``<journal>.<seq of its first line, 20 digits>``, plus ``.gz`` once it is compressed. For a moment
both files exist. Readers try the plain one first: if it is gone, the compressed one is already there.
"""

import os
import re
import threading
from pathlib import Path
from typing import Protocol

from payments.disk import Disk
from payments.disk.lock import LockTimeout, hold_folder
from payments.errors import Corrupt, Unavailable
from payments.store.file.blocks import BadBlock, Blocks, Layout, layout

_MAX_LINE_BYTES = 1 << 20
_RESTORE_TIMEOUT_S = 120.0

# Reading all block headers of a file takes longer than reading a page of it, so layouts are cached, about 70 KB each.
_MAX_LAYOUTS = 64
_layouts: dict[tuple[int, ...], Layout] = {}
_lock = threading.Lock()


class Segment(Protocol):
    """A file of the journal, compressed or not, read as the lines that it holds.

    Every method may raise ``OSError``, and ``Corrupt`` if compressed data is damaged.
    """

    @property
    def path(self) -> Path:
        """The file's name when it was opened."""

    @property
    def descriptor(self) -> int:
        """Of the open file, which may have been renamed since."""

    def size(self) -> int:
        """Bytes of all lines, uncompressed; the active file may grow."""

    def read(self, length: int, offset: int) -> bytes:
        """``length`` bytes from ``offset``, both uncompressed; fewer only at the end."""

    def close(self) -> None: ...


class PlainSegment:
    """A segment that is not compressed."""

    def __init__(self, disk: Disk, path: Path, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor
        self._disk = disk

    def size(self) -> int:
        return self._disk.size(self.descriptor)

    def read(self, length: int, offset: int) -> bytes:
        return self._disk.read(self.descriptor, length, offset)

    def close(self) -> None:
        self._disk.close(self.descriptor)


class CompressedSegment:
    """A sealed segment in blocked gzip."""

    def __init__(self, disk: Disk, path: Path, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor
        self._disk = disk
        try:
            self._blocks = Blocks(self._read_file, self._layout())
        except BadBlock as error:
            raise _damaged(path, error) from error

    def size(self) -> int:
        return self._blocks.size

    def read(self, length: int, offset: int) -> bytes:
        try:
            return self._blocks.read(length, offset)
        except BadBlock as error:
            raise _damaged(self.path, error) from error

    def close(self) -> None:
        self._disk.close(self.descriptor)

    def _layout(self) -> Layout:
        key = self._disk.stamp(self.descriptor)
        with _lock:
            known = _layouts.get(key)
        if known is None:
            known = layout(self._read_file, self._disk.size(self.descriptor))
            with _lock:
                _layouts[key] = known
                if len(_layouts) > _MAX_LAYOUTS:
                    _layouts.pop(next(iter(_layouts)))
        return known

    def _read_file(self, length: int, offset: int) -> bytes:
        return self._disk.read(self.descriptor, length, offset)


def hold_journal_folder(journal_path: Path) -> int:
    """A descriptor that, while open, prevents a restore from replacing the journal. Raises ``Unavailable``."""
    try:
        return hold_folder(journal_path.parent, _RESTORE_TIMEOUT_S, alone=False)
    except LockTimeout as error:
        raise Unavailable(
            f"PAY-D08 {error}: a backup is being restored there; start again when it has ended"
        ) from error


def lock_path(journal_path: Path) -> Path:
    """The lock file that a process holds while it reads on or appends."""
    return journal_path.with_name(f"{journal_path.name}.lock")


def sealed_path(journal_path: Path, first_seq: int) -> Path:
    """The name of the segment that begins with ``first_seq``, once it is sealed."""
    return journal_path.with_name(f"{journal_path.name}.{first_seq:020d}")


def compressed_path(plain_path: Path) -> Path:
    """The name of the sealed segment ``plain_path``, once it is compressed."""
    return plain_path.with_name(f"{plain_path.name}.gz")


def journal_paths(journal_path: Path) -> list[Path]:
    """Every file of the journal, the active one last; both forms of a segment if a crash left both."""
    named = re.compile(rf"{re.escape(journal_path.name)}(\.[0-9]{{20}}(\.gz)?)?")
    paths = [path for path in journal_path.parent.iterdir() if named.fullmatch(path.name)]
    return sorted(paths, key=lambda path: (path == journal_path, path.name))


def sealed_segments(journal_path: Path) -> list[tuple[int, Path]]:
    """The sealed segments, oldest first: ``seq`` of the first line, and path (the plain one if both forms exist)."""
    named = re.compile(rf"({re.escape(journal_path.name)}\.([0-9]{{20}}))(\.gz)?")
    # Listed twice: a segment renamed during one listing may be missing from it under both names.
    names = {path.name for _ in range(2) for path in journal_path.parent.iterdir()}
    found = {int(match[2]): match[1] for match in map(named.fullmatch, names) if match}
    return [
        (first_seq, journal_path.with_name(plain if plain in names else f"{plain}.gz"))
        for first_seq, plain in sorted(found.items())
    ]


def open_sealed(disk: Disk, journal_path: Path, first_seq: int) -> Segment:
    """The sealed segment that begins with ``first_seq``, in either form.

    Raises ``FileNotFoundError`` if there is none, other ``OSError`` and ``Corrupt``.
    """
    plain = sealed_path(journal_path, first_seq)
    try:
        return PlainSegment(disk, plain, disk.open(plain, os.O_RDONLY))
    except FileNotFoundError:
        return open_compressed(disk, compressed_path(plain))


def open_compressed(disk: Disk, path: Path) -> CompressedSegment:
    """The compressed segment at ``path``. Raises ``OSError`` and ``Corrupt``."""
    descriptor = disk.open(path, os.O_RDONLY)
    try:
        return CompressedSegment(disk, path, descriptor)
    except BaseException:
        disk.close(descriptor)
        raise


def last_line(segment: Segment, end: int | None) -> bytes:
    """The line of ``segment`` that ends at byte ``end`` (``None``: its last line); empty if there is none."""
    size = segment.size()
    end = size if end is None else end
    start = max(0, end - _MAX_LINE_BYTES)
    data = segment.read(end - start, start) if end <= size else b""
    return data[data.rfind(b"\n", 0, max(0, len(data) - 1)) + 1 :]


def _damaged(path: Path, error: BadBlock) -> Corrupt:
    return Corrupt(
        f"PAY-J05 {path}: {error}. Stop all processes of Payments, keep a copy of the file, and restore it, in "
        "this form or the plain one, from a backup"
    )
