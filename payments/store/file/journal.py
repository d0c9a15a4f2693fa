"""The journal file: reading on, appending, syncing. For one thread of a process; all but ``sync`` needs the lock."""

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
from payments.store.file.codec import BadLine, Decode, Position, UnknownVersion, decode_lines, encode, line_hash, parse
from payments.store.file.lines import BadTail, damaged, read_lines
from payments.store.file.segments import (
    PlainSegment,
    Segment,
    compressed_path,
    hold_journal_folder,
    last_line,
    open_compressed,
    open_sealed,
    sealed_path,
    sealed_segments,
)


class SyncFailed(OSError):
    """The names in the journal's folder may not be on disk, and what a second try says would prove nothing."""


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
        decode: how lines are read; a rebuild has its own way.
    """

    def __init__(self, disk: Disk, path: Path, segment_bytes: int) -> None:
        """Open ``path``; made, and its folder with it, where missing. Raises ``OSError``, ``Unavailable``."""
        self.disk = disk
        self.path = path
        self.position = Position()
        self.durable_seq = 0
        self.decode: Decode = decode_lines
        self._segment_bytes = segment_bytes
        disk.make_folder(path.parent)
        self._use = hold_journal_folder(path)
        try:
            self.descriptor = self._open()
        except BaseException:
            os.close(self._use)
            raise
        self._identity = disk.identity(self.descriptor)
        self._open_segment = self.position.segment

    def close(self) -> None:
        self.disk.close(self.descriptor)
        os.close(self._use)

    def reopen(self) -> None:
        """Open the file that the path names, unless it is open: one may be sealed before its opener has the lock."""
        if self.current_size() is None:
            self._open_next()

    def current_size(self) -> int | None:
        """The size of the file that is open here, or ``None`` where the path names another one by now, or none."""
        named = self.disk.status(self.path)
        return named.st_size if named and self._is_open_here(named) else None

    def is_sealed(self) -> bool:
        """Whether another process has sealed the file that is open here. Raises ``Corrupt``."""
        sealed = sealed_path(self.path, self._open_segment)
        if named := self.disk.status(sealed):
            return self._is_open_here(named)
        return self._is_compressed(compressed_path(sealed))

    def contains(self, position: Position) -> bool:
        """Whether ``position`` is one of this journal's: the line before it has its hash, and its ``seq``."""
        if not position.seq:
            return position == Position()
        if position.offset:
            line = self._last_line(position.segment, position.offset)
        else:
            earlier = [first_seq for first_seq, _ in sealed_segments(self.path) if first_seq < position.segment]
            line = self._last_line(earlier[-1], None) if earlier else b""
        return line_hash(line) == position.hash and line.startswith(b'{"seq":%d,' % position.seq)

    def check_sealed(self) -> None:
        """Whether every sealed segment is there, from the first entry up to ``position``. Raises ``Corrupt``.

        What a projection shows is not read again, so nobody else would notice before the entries are asked for.
        """
        begin_seq = 1
        for first_seq, path in sealed_segments(self.path):
            if first_seq >= self.position.segment:
                break
            if first_seq != begin_seq:
                raise Corrupt(f"PAY-J09 {path}: the segment before it is missing, {sealed_path(self.path, begin_seq)}")
            begin_seq = self._last_seq(first_seq, path) + 1
        if begin_seq != self.position.segment:
            raise Corrupt(f"PAY-J09 {self.path}: the segment before it is missing, {sealed_path(self.path, begin_seq)}")

    def read_sealed(self) -> Iterator[Sequence[Entry]]:
        """The entries behind ``position`` in sealed segments, all of them, some at a time. Raises ``Corrupt``."""
        for first_seq, path in sealed_segments(self.path):
            if first_seq < self.position.segment:
                continue
            if first_seq > self.position.segment:
                raise Corrupt(
                    f"PAY-J09 {path}: the segment before it is missing, {sealed_path(self.path, self.position.segment)}"
                )
            segment = open_sealed(self.disk, self.path, first_seq)
            try:
                yield from self._read_to_the_end(segment)
            finally:
                segment.close()
            self._enter_next_segment()

    def read_on(self) -> Iterator[Sequence[Entry]]:
        """The entries behind ``position`` in the active file. Raises ``BadTail`` where they do not end in a line."""
        self._open_segment = self.position.segment
        return self._read(self._active(self.path))

    def read_newly_sealed(self) -> Iterator[Sequence[Entry]]:
        """What is behind ``position`` in the file that another process has sealed, and in those sealed since.

        Opens the active file at the end. If it fails half-way, it goes on from there the next time.
        """
        if self.position.segment == self._open_segment:
            yield from self._read_to_the_end(self._active(sealed_path(self.path, self._open_segment)))
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
        self._sync_folder()
        # Only now: an active file that cannot be written would stop the next start.
        self.disk.make_read_only(self.descriptor)
        self._enter_next_segment()
        self._open_next()

    def append(self, entries: Sequence[Entry]) -> None:
        """Write ``entries`` behind ``position``, in one write; they are not on disk before ``sync``.

        Raises ``Unavailable``, for a full disk is the operator's and passes; then some may be written: ``roll_back``.
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
            raise Unavailable(_complaint(self.path, error), retry_after_s=5) from error
        offset = self.position.offset + len(data)
        self.position = Position(entries[-1].seq, offset, prev, self.position.segment)

    def roll_back(self, position: Position) -> None:
        """Take back what was appended behind ``position``."""
        self.position = position
        # If this fails too, the next turn under the lock finds the rest and deals with it.
        with suppress(OSError):
            self.disk.truncate(self.descriptor, position.offset)

    def sync(self) -> None:
        """Returns when all that was read and written is on disk, whoever wrote it. Raises ``OSError``."""
        self.disk.sync(self.descriptor)
        self.durable_seq = max(self.durable_seq, self.position.seq)

    def _sync_folder(self) -> None:
        try:
            self.disk.sync_folder(self.path.parent)
        except OSError as error:
            raise SyncFailed(error.errno, error.strerror) from error

    def _open(self) -> int:
        return self.disk.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT)

    def _last_line(self, segment: int, end: int | None) -> bytes:
        """The line of that segment that ends at byte ``end``, or at its end; empty where none does."""
        try:
            file = open_sealed(self.disk, self.path, segment)
        except FileNotFoundError:
            file = PlainSegment(self.disk, self.path, self.disk.open(self.path, os.O_RDONLY))
        try:
            return last_line(file, end)
        finally:
            file.close()

    def _last_seq(self, first_seq: int, path: Path) -> int:
        try:
            return int(parse(self._last_line(first_seq, None)).seq)
        except (BadLine, UnknownVersion) as error:
            raise Corrupt(f"PAY-J10 {path}: its last line cannot be read: {error}. Restore it from a backup") from error

    def _is_open_here(self, named: os.stat_result) -> bool:
        return (named.st_ino, named.st_dev) == self._identity

    def _is_compressed(self, path: Path) -> bool:
        """Whether the lines in ``path``, if there is such a file, are those of the file that is open here."""
        try:
            compressed = open_compressed(self.disk, path)
        except FileNotFoundError:
            return False
        try:
            # By the chain, one line stands for all before it.
            return last_line(compressed, None) == last_line(self._active(self.path), None)
        finally:
            compressed.close()

    def _active(self, path: Path) -> Segment:
        """The file that is open here, which is called ``path``; not to be closed."""
        return PlainSegment(self.disk, path, self.descriptor)

    def _open_next(self) -> None:
        descriptor = self._open()
        try:
            self._sync_folder()
        except OSError:
            self.disk.close(descriptor)
            raise
        self.disk.close(self.descriptor)
        self.descriptor = descriptor
        self._identity = self.disk.identity(descriptor)
        self._open_segment = self.position.segment

    def _enter_next_segment(self) -> None:
        self.position = self.position._replace(offset=0, segment=self.position.seq + 1)

    def _read_to_the_end(self, segment: Segment) -> Iterator[Sequence[Entry]]:
        try:
            yield from self._read(segment)
        except BadTail as bad:
            # All of a sealed segment was on disk before it was sealed: nothing in it can be a torn tail.
            raise damaged(segment.path, bad) from bad

    def _read(self, segment: Segment) -> Iterator[Sequence[Entry]]:
        for read in read_lines(segment, self.position, self.decode):
            self.position = read.position
            self.durable_seq = max(self.durable_seq, read.durable)
            yield read.entries


def _complaint(path: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"PAY-D01 {path}: no room for another entry ({error.strerror}); make space on its disk"
    return f"PAY-D04 {path}: cannot be written ({error.strerror})"
