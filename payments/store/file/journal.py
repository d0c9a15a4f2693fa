"""The journal file: reading on, appending, syncing. Callers hold the journal's lock, but for ``sync``."""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from payments.disk import Disk
from payments.disk.operations import write_all
from payments.domain.entries import Entry
from payments.errors import Corrupt, Unavailable
from payments.store.file.codec import BadLine, Position, UnknownVersion, decode_next, encode, line_hash

_CHUNK = 1 << 20


class BadTail(Exception):
    """The journal cannot be read on at ``position``; the message says why."""

    def __init__(self, position: Position, why: str) -> None:
        super().__init__(why)
        self.position = position


class Journal:
    """One open journal file, and how far it has been read.

    Attributes:
        position: behind the last line that was read or appended.
        durable_seq: the highest ``seq`` known to be on disk, from own syncs and from what other writers' lines say.
    """

    def __init__(self, disk: Disk, path: Path) -> None:
        """Open ``path``; made, and its folder with it, where missing. Raises ``OSError``."""
        self.disk = disk
        self.path = path
        self.position = Position()
        self.durable_seq = 0
        disk.make_folder(path.parent)
        self.descriptor = disk.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)

    def close(self) -> None:
        self.disk.close(self.descriptor)

    def size(self) -> int:
        return self.disk.size(self.descriptor)

    def is_current(self) -> bool:
        """Whether the path still names this file, and the file still holds all that was read."""
        return self.disk.is_open_file(self.descriptor, self.path) and self.size() >= self.position.offset

    def line_before(self, offset: int) -> bytes:
        """The line that ends at ``offset``; empty where none does."""
        start = max(0, offset - _CHUNK)
        data = self.disk.read(self.descriptor, offset - start, start)
        return data[data.rfind(b"\n", 0, len(data) - 1) + 1 :]

    def names(self, position: Position) -> bool:
        """Whether ``position`` is one of this journal's: the line before it has its hash."""
        if not position.offset:
            return position == Position()
        return position.offset <= self.size() and line_hash(self.line_before(position.offset)) == position.hash

    def read_on(self) -> Iterator[Entry]:
        """The entries behind ``position``, which moves along. Raises ``BadTail`` where they do not end in a line."""
        while self.size() > self.position.offset:
            chunk = self.disk.read(self.descriptor, _CHUNK, self.position.offset)
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
                    raise Corrupt(f"{self.path}, line {self.position.seq + 1}: {error}") from error
                self.durable_seq = max(self.durable_seq, durable_seq)
                yield entry

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
        self.position = Position(entries[-1].seq, self.position.offset + len(data), prev)

    def sync(self) -> None:
        """Returns when all that was written before the call, by whomever, is on disk. Raises ``OSError``."""
        written_seq = self.position.seq
        self.disk.sync(self.descriptor)
        self.durable_seq = max(self.durable_seq, written_seq)


def _complaint(path: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"{path}: no room for another entry ({error.strerror}); make space on its disk"
    return f"{path}: cannot be written ({error.strerror})"
