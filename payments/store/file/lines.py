"""The lines of a segment, read forwards; and what to tell of one that cannot be read."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from payments.errors import Corrupt
from payments.store.file.codec import BadLine, Decode, Decoded, Position, decode_lines
from payments.store.file.segments import Segment

_CHUNK = 1 << 20


class BadTail(Exception):
    """The journal cannot be read on at ``position``; the message says why."""

    def __init__(self, position: Position, why: str) -> None:
        super().__init__(why)
        self.position = position


def read_lines(segment: Segment, position: Position, decode: Decode = decode_lines) -> Iterator[Decoded]:
    """What ``decode`` makes of the lines of ``segment`` behind ``position``, some at a time.

    Raises ``BadTail`` where they do not end in a line, and ``Corrupt``.
    """
    end = segment.size()
    while position.offset < end:
        lines = split_lines(segment.read(min(_CHUNK, end - position.offset), position.offset))
        rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        if not lines:
            raise BadTail(position, f"{len(rest)} bytes without the newline that ends a line")
        decoded = decode(lines, position)
        yield decoded
        position, error = decoded.position, decoded.error
        if isinstance(error, BadLine):
            raise BadTail(position, str(error)) from error
        if error is not None:
            raise Corrupt(f"{place(segment.path, position)}: {error}") from error


def split_lines(data: bytes) -> list[bytes]:
    """The lines of ``data`` with their newlines, and what follows the last one: in a sixth of ``splitlines``' time."""
    return BytesIO(data).readlines()


def damaged(path: Path, bad: BadTail) -> Corrupt:
    """What to tell the operator of a line that cannot be read and cannot be set aside."""
    return Corrupt(
        f"PAY-J03 {place(path, bad.position)}: {bad}. The lines before it are sound. Stop all processes of "
        "Payments, keep a copy of the file, and restore it from a backup"
    )


def place(path: Path, position: Position) -> str:
    """Where in the segment ``path`` the line behind ``position`` stands, counted from 1 as editors do."""
    return f"{path}, line {position.seq - position.segment + 2} (byte {position.offset})"
