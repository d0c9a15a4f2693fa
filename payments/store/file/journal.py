"""The journal file: reading on, appending, syncing. One thread of a process; it holds the lock, but for ``sync``."""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from payments.disk import Disk
from payments.disk.operations import write_all
from payments.domain.entries import Entry
from payments.errors import Corrupt, Unavailable
from payments.store.file.codec import BadLine, Position, UnknownVersion, decode_next, encode, line_hash
from payments.store.file.segments import sealed_path, sealed_segments

_CHUNK = 1 << 20


class BadTail(Exception):
    """The journal cannot be read on at ``position``; the message says why."""

    def __init__(self, position: Position, why: str) -> None:
        super().__init__(why)
        self.position = position


class End(NamedTuple):
    """The journal up to a position, to read backwards from while writers go on.

    Attributes:
        descriptor: of the file that ``position`` is in, whatever its name is by now; whoever asked for it closes it.
    """

    disk: Disk
    path: Path
    position: Position
    descriptor: int


class Journal:
    """The journal's files: sealed segments, and the active one, which is open.

    Attributes:
        position: behind the last line that was read or appended.
        durable_seq: the highest ``seq`` known to be on disk, from own syncs and from what other writers' lines say.
    """

    def __init__(self, disk: Disk, path: Path, segment_bytes: int) -> None:
        """Open ``path``; made, and its folder with it, where missing. Raises ``OSError``."""
        self.disk = disk
        self.path = path
        self.position = Position()
        self.durable_seq = 0
        self._segment_bytes = segment_bytes
        disk.make_folder(path.parent)
        self.descriptor = self._open()
        self._identity = disk.identity(self.descriptor)
        self._open_segment = self.position.segment

    def close(self) -> None:
        self.disk.close(self.descriptor)

    def current_size(self) -> int | None:
        """The size of the file that is open here, or ``None`` where the path names another one by now, or none."""
        named = self.disk.status(self.path)
        return named.st_size if named and (named.st_ino, named.st_dev) == self._identity else None

    def is_sealed(self) -> bool:
        """Whether another process has sealed the file that is open here."""
        named = self.disk.status(sealed_path(self.path, self._open_segment))
        return named is not None and (named.st_ino, named.st_dev) == self._identity

    def names(self, position: Position) -> bool:
        """Whether ``position`` is one of this journal's: the line before it has its hash."""
        if not position.seq:
            return position == Position()
        if position.offset:
            return line_hash(self._last_line(position.segment, position.offset)) == position.hash
        earlier = [first_seq for first_seq, _ in sealed_segments(self.path) if first_seq < position.segment]
        return bool(earlier) and line_hash(self._last_line(earlier[-1], None)) == position.hash

    def read_sealed(self) -> Iterator[Entry]:
        """The entries behind ``position`` in sealed segments, all of them. Raises ``Corrupt``."""
        for first_seq, path in sealed_segments(self.path):
            if first_seq < self.position.segment:
                continue
            if first_seq > self.position.segment:
                raise Corrupt(
                    f"{path}: the segment before it is missing, {sealed_path(self.path, self.position.segment)}"
                )
            descriptor = self.disk.open(path, os.O_RDONLY)
            try:
                yield from self._read_to_the_end(descriptor, path)
            finally:
                self.disk.close(descriptor)
            self._enter_next_segment()

    def read_on(self) -> Iterator[Entry]:
        """The entries behind ``position`` in the active file. Raises ``BadTail`` where they do not end in a line."""
        self._open_segment = self.position.segment
        return self._read(self.descriptor, self.path)

    def take_up_next(self) -> Iterator[Entry]:
        """What is behind ``position`` in the file that another process has sealed, and in those sealed since.

        Then opens the active one. If it fails half-way, it goes on from there the next time.
        """
        if self.position.segment == self._open_segment:
            yield from self._read_to_the_end(self.descriptor, sealed_path(self.path, self._open_segment))
            self._enter_next_segment()
        yield from self.read_sealed()
        # Whoever sealed them synced them first.
        self.durable_seq = max(self.durable_seq, self.position.seq)
        self._open_next()

    def end(self) -> End:
        """The journal as it is now; within a turn, for the position must be in the file that is open."""
        return End(self.disk, self.path, self.position, os.dup(self.descriptor))

    def is_full(self) -> bool:
        """Whether the active file is to be sealed before the next entry."""
        return self.position.offset >= self._segment_bytes

    def seal(self) -> None:
        """Give the active file, which is on disk to its end, its final name, and begin another. Raises ``OSError``.

        If it fails half-way, the next turn under the lock finds a sealed file and takes up the next one.
        """
        self.disk.replace(self.path, sealed_path(self.path, self.position.segment))
        # On disk before there is another file by the old name: both names together must never be lost.
        self.disk.sync_folder(self.path.parent)
        # Only now: an active file that cannot be written would stop the next start.
        self.disk.make_read_only(self.descriptor)
        self._enter_next_segment()
        self._open_next()

    def append(self, entries: Sequence[Entry]) -> None:
        """Write ``entries`` behind ``position``, in one write; they are not on disk before ``sync``.

        Raises ``Unavailable`` with the file as it was: a full disk is the operator's and passes.
        """
        lines = []
        prev = self.position.hash
        for entry in entries:
            line = encode(entry, self.durable_seq, prev)
            prev = line_hash(line)
            lines.append(line)
        data = b"".join(lines)
        try:
            write_all(self.disk, self.descriptor, data)
        except OSError as error:
            # If cutting back fails too, the next turn under the lock finds the rest and deals with it.
            with suppress(OSError):
                self.disk.truncate(self.descriptor, self.position.offset)
            raise Unavailable(_complaint(self.path, error), retry_after_s=5) from error
        offset = self.position.offset + len(data)
        self.position = Position(entries[-1].seq, offset, prev, self.position.segment)

    def sync(self) -> None:
        """Returns when all that was read and written is on disk, whoever wrote it. Raises ``OSError``."""
        self.disk.sync(self.descriptor)
        self.durable_seq = max(self.durable_seq, self.position.seq)

    def _open(self) -> int:
        return self.disk.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT)

    def _last_line(self, segment: int, end: int | None) -> bytes:
        """The line of that segment that ends at byte ``end``, or at its end; empty where none does."""
        sealed = sealed_path(self.path, segment)
        descriptor = self.disk.open(sealed if sealed.exists() else self.path, os.O_RDONLY)
        try:
            size = self.disk.size(descriptor)
            end = size if end is None else end
            start = max(0, end - _CHUNK)
            data = self.disk.read(descriptor, end - start, start) if end <= size else b""
        finally:
            self.disk.close(descriptor)
        return data[data.rfind(b"\n", 0, max(0, len(data) - 1)) + 1 :]

    def _open_next(self) -> None:
        descriptor = self._open()
        try:
            self.disk.sync_folder(self.path.parent)
        except OSError:
            self.disk.close(descriptor)
            raise
        self.disk.close(self.descriptor)
        self.descriptor = descriptor
        self._identity = self.disk.identity(descriptor)
        self._open_segment = self.position.segment

    def _enter_next_segment(self) -> None:
        self.position = self.position._replace(offset=0, segment=self.position.seq + 1)

    def _read_to_the_end(self, descriptor: int, path: Path) -> Iterator[Entry]:
        try:
            yield from self._read(descriptor, path)
        except BadTail as bad:
            # All of a sealed segment was on disk before it was sealed: nothing in it can be a torn tail.
            raise damaged(path, bad) from bad

    def _read(self, descriptor: int, path: Path) -> Iterator[Entry]:
        while self.disk.size(descriptor) > self.position.offset:
            chunk = self.disk.read(descriptor, _CHUNK, self.position.offset)
            lines = chunk.split(b"\n")
            rest = lines.pop()
            if not lines:
                raise BadTail(self.position, f"{len(rest)} bytes without the newline that ends a line")
            for line in lines:
                try:
                    entry, self.position, durable_seq = decode_next(line + b"\n", self.position)
                except BadLine as error:
                    raise BadTail(self.position, str(error)) from error
                except UnknownVersion as error:
                    raise Corrupt(f"{place(path, self.position)}: {error}") from error
                self.durable_seq = max(self.durable_seq, durable_seq)
                yield entry


def damaged(path: Path, bad: BadTail) -> Corrupt:
    """What to tell the operator of a line that cannot be read and cannot be set aside."""
    return Corrupt(
        f"{place(path, bad.position)}: {bad}. The lines before it are sound. Stop all processes of Payments, keep a "
        f"copy of the file, and restore it from a backup"
    )


def place(path: Path, position: Position) -> str:
    """Where in the segment ``path`` the line behind ``position`` stands, counted from 1 as editors do."""
    return f"{path}, line {position.seq - position.segment + 2} (byte {position.offset})"


def _complaint(path: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"{path}: no room for another entry ({error.strerror}); make space on its disk"
    return f"{path}: cannot be written ({error.strerror})"
