"""The journal's active file: read on, append, sync. Not thread-safe; everything except ``sync`` needs the lock."""

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
    """The sync of the journal's folder failed. A second try could succeed although names are lost."""


class End(NamedTuple):
    """Where the journal ended at one moment, for reading backwards from there while writers go on.

    Attributes:
        disk: to read with.
        path: of the journal.
        position: the end.
        descriptor: of the file that ``position`` is in, which may have been renamed since; the caller closes it.
    """

    disk: Disk
    path: Path
    position: Position
    descriptor: int


class Journal:
    """The journal's files: sealed segments, and the active one, which is open.

    Attributes:
        position: after the last line that was read or appended.
        durable_seq: the highest ``seq`` known to be on disk, from own syncs and from other writers' lines.
        decode: the function that decodes lines; ``Rebuild`` substitutes its own.
    """

    def __init__(self, disk: Disk, path: Path, segment_bytes: int) -> None:
        """Open ``path``; make it and its folder if missing. Raises ``OSError``, ``Unavailable``."""
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
        """Open the file that has the journal's name now: the one opened before the lock was held may be sealed."""
        if self.current_size() is None:
            self._open_next()

    def current_size(self) -> int | None:
        """The size of the open file; ``None`` if the journal's name is now that of another file, or of none."""
        named = self.disk.status(self.path)
        return named.st_size if named and self._is_open_here(named) else None

    def is_sealed(self) -> bool:
        """Whether another process has sealed the open file. Raises ``Corrupt``."""
        sealed = sealed_path(self.path, self._open_segment)
        if named := self.disk.status(sealed):
            return self._is_open_here(named)
        return self._is_compressed(compressed_path(sealed))

    def contains(self, position: Position) -> bool:
        """Whether the line before ``position`` has that position's hash and ``seq``."""
        if not position.seq:
            return position == Position()
        if position.offset:
            line = self._last_line(position.segment, position.offset)
        else:
            earlier = [first_seq for first_seq, _ in sealed_segments(self.path) if first_seq < position.segment]
            line = self._last_line(earlier[-1], None) if earlier else b""
        return line_hash(line) == position.hash and line.startswith(b'{"seq":%d,' % position.seq)

    def check_sealed(self) -> None:
        """Raises ``Corrupt`` if a sealed segment before ``position`` is missing.

        A start does not read entries that the projections show, so nothing else would notice.
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
        """The entries after ``position`` in sealed segments, in groups. Raises ``Corrupt``."""
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
        """The entries after ``position`` in the active file. Raises ``BadTail`` at a line that cannot be read."""
        self._open_segment = self.position.segment
        return self._read(self._active(self.path))

    def read_newly_sealed(self) -> Iterator[Sequence[Entry]]:
        """The entries after ``position`` in the open file, which another process has sealed, and in those sealed since.

        Then opens the active file. After a failure, the next call continues from there.
        """
        if self.position.segment == self._open_segment:
            yield from self._read_to_the_end(self._active(sealed_path(self.path, self._open_segment)))
            self._enter_next_segment()
        yield from self.read_sealed()
        # They were synced before they were sealed.
        self.durable_seq = max(self.durable_seq, self.position.seq)
        self._open_next()

    def end(self) -> End:
        """The current end of the journal. Only within a turn, so that ``position`` is in the open file."""
        return End(self.disk, self.path, self.position, os.dup(self.descriptor))

    def is_full(self) -> bool:
        """Whether the active file must be sealed before the next entry."""
        return self.position.offset >= self._segment_bytes

    def seal(self) -> None:
        """Rename the active file, which must be synced, to its sealed name, and begin another. Raises ``OSError``.

        After a failure, the next turn finds the file sealed and continues from there.
        """
        self.disk.replace(self.path, sealed_path(self.path, self.position.segment))
        # Sync before another file gets the old name: a crash must not lose both names.
        self._sync_folder()
        # Only now: a read-only active file would make the next start fail.
        self.disk.make_read_only(self.descriptor)
        self._enter_next_segment()
        self._open_next()

    def append(self, entries: Sequence[Entry]) -> None:
        """Write ``entries`` at ``position``, in one write; they are on disk only after ``sync``.

        Raises ``Unavailable``, for example on a full disk. Part may be written then: call ``roll_back``.
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
        """Remove what was appended after ``position``."""
        self.position = position
        # If this fails too, the next turn finds the remains and repairs them.
        with suppress(OSError):
            self.disk.truncate(self.descriptor, position.offset)

    def sync(self) -> None:
        """Put everything up to ``position`` on disk, including what other processes wrote. Raises ``OSError``."""
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
        """The line of that segment that ends at byte ``end`` (``None``: its last line); empty if there is none."""
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
        """Whether ``path`` exists and has the same lines as the open file."""
        try:
            compressed = open_compressed(self.disk, path)
        except FileNotFoundError:
            return False
        try:
            # The chain of hashes makes it enough to compare the last line.
            return last_line(compressed, None) == last_line(self._active(self.path), None)
        finally:
            compressed.close()

    def _active(self, path: Path) -> Segment:
        """The open file as a segment called ``path``; the caller must not close it."""
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
            # A sealed segment was synced before it was sealed, so it cannot end in a torn tail.
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
