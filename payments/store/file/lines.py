"""The lines of a segment, read forwards; and what to tell of one that cannot be read."""

from collections.abc import Iterator
from pathlib import Path

from payments.domain.entries import Entry
from payments.errors import Corrupt
from payments.store.file.codec import BadLine, Decode, Position, UnknownVersion, decode_next
from payments.store.file.segments import Segment

_CHUNK = 1 << 20


class BadTail(Exception):
    """The journal cannot be read on at ``position``; the message says why."""

    def __init__(self, position: Position, why: str) -> None:
        super().__init__(why)
        self.position = position


def read_lines(
    segment: Segment, position: Position, decode: Decode = decode_next
) -> Iterator[tuple[Entry | None, Position, int]]:
    """What ``decode`` makes of the lines of ``segment`` behind ``position``, one after the other.

    Raises ``BadTail`` where they do not end in a line, and ``Corrupt``.
    """
    while segment.size() > position.offset:
        chunk = segment.read(_CHUNK, position.offset)
        lines = chunk.split(b"\n")
        rest = lines.pop()
        if not lines:
            raise BadTail(position, f"{len(rest)} bytes without the newline that ends a line")
        for line in lines:
            try:
                entry, position, durable_seq = decode(line + b"\n", position)
            except BadLine as error:
                raise BadTail(position, str(error)) from error
            except UnknownVersion as error:
                raise Corrupt(f"{place(segment.path, position)}: {error}") from error
            yield entry, position, durable_seq


def damaged(path: Path, bad: BadTail) -> Corrupt:
    """What to tell the operator of a line that cannot be read and cannot be set aside."""
    return Corrupt(
        f"{place(path, bad.position)}: {bad}. The lines before it are sound. Stop all processes of Payments, keep a "
        f"copy of the file, and restore it from a backup"
    )


def place(path: Path, position: Position) -> str:
    """Where in the segment ``path`` the line behind ``position`` stands, counted from 1 as editors do."""
    return f"{path}, line {position.seq - position.segment + 2} (byte {position.offset})"
