"""Reading the journal backwards, a page at a time."""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from payments.domain.entries import Entry
from payments.errors import Corrupt
from payments.store.file.codec import BadLine, UnknownVersion, decode
from payments.store.file.journal import End
from payments.store.file.segments import PlainSegment, Segment, open_sealed, sealed_segments
from payments.store.protocol import Page, Query

SEARCH_LIMIT = 5_000
"""A page looks at no more entries than this, found or not, so that no call takes long whatever it asks for."""

_BLOCK = 1 << 16


def read_page(end: End, query: Query, before: int | None, limit: int) -> Page:
    """Entries that match, newest first, from the one below seq ``before`` on. Raises ``Corrupt`` and ``OSError``."""
    found: list[Entry] = []
    last_seq = 1
    for entry in islice(_backwards(end, before), SEARCH_LIMIT):
        last_seq = entry.seq
        if query.matches(entry):
            found.append(entry)
            if len(found) == limit:
                break
    return Page(found, last_seq if last_seq > 1 else None)


class _File(NamedTuple):
    """A part of the journal to read: one segment, from its beginning up to byte ``end``."""

    segment: Segment
    end: int


def _backwards(end: End, before: int | None) -> Iterator[Entry]:
    """The entries below ``before``, newest first, whatever segment they are in."""
    position = end.position
    if before is None or before > position.segment:
        active = _File(PlainSegment(end.disk, end.path, end.descriptor), position.offset)
        yield from _file_backwards(active, before if before is None or before <= position.seq else None)
    for first_seq, _ in reversed(sealed_segments(end.path)):
        if first_seq >= position.segment or (before is not None and before <= first_seq):
            continue
        segment = open_sealed(end.disk, end.path, first_seq)
        try:
            yield from _file_backwards(_File(segment, segment.size()), before)
        finally:
            segment.close()


def _file_backwards(file: _File, before: int | None) -> Iterator[Entry]:
    """The entries of ``file`` below ``before``, newest first."""
    end = file.end if before is None else _offset_of(file, before)
    rest = b""
    while end > 0:
        start = max(0, end - _BLOCK)
        lines = (file.segment.read(end - start, start) + rest).split(b"\n")
        # The first line of a block began in the block before it; the last piece is what follows the last newline.
        rest = lines[0] + b"\n" if start else b""
        for line in reversed(lines[1:-1] if start else lines[:-1]):
            yield _decode(file, line + b"\n")
        end = start


def _offset_of(file: _File, seq: int) -> int:
    """Where the line with ``seq`` begins, or the file ends, found by halving the file."""
    low, high = 0, file.end
    while low < high:
        middle = (low + high) // 2
        start, line = _line_from(file, middle, high)
        if not line or _decode(file, line).seq >= seq:
            high = middle
        else:
            low = start + len(line)
    return low


def _line_from(file: _File, offset: int, end: int) -> tuple[int, bytes]:
    """The first line that begins at ``offset`` or behind it and before ``end``, and where it begins."""
    start = max(0, offset - 1)
    data = file.segment.read(min(_BLOCK, file.end - start), start)
    begin = data.find(b"\n") + 1 if offset else 0
    if start + begin >= end:
        return end, b""
    return start + begin, data[begin : data.find(b"\n", begin) + 1]


def _decode(file: _File, line: bytes) -> Entry:
    try:
        return decode(line)[0]
    except (BadLine, UnknownVersion) as error:
        raise Corrupt(f"{file.segment.path}: a line that begins {line[:40]!r} cannot be read: {error}") from error
