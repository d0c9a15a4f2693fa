"""Reading the journal backwards, a page at a time."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import orjson

from payments.domain.entries import Entry
from payments.domain.times import format_time
from payments.errors import Corrupt
from payments.store.file.codec import BadLine, UnknownVersion, decode, is_whole
from payments.store.file.journal import End
from payments.store.file.segments import CompressedSegment, PlainSegment, Segment, open_sealed, sealed_segments
from payments.store.protocol import Page, Query

SEARCH_COST = 40_000_000
"""A page looks at no more of the journal than this, in plain bytes read, so that no call takes long whatever it asks.

A compressed byte, and a line that is decoded, count for as many bytes as could be read in their time.
"""

_COMPRESSED_BYTE_COST = 6
_DECODED_LINE_COST = 15_000
_BLOCK = 1 << 16
_TIME_BYTES = 24


def read_page(end: End, query: Query, before: int | None, limit: int) -> Page:
    """Entries that match, newest first, from the one below seq ``before`` on. Raises ``Corrupt`` and ``OSError``."""
    found: list[Entry] = []
    may_match = line_filter(query)
    spent = 0
    for block in _backwards(end, before):
        spent += block.cost
        for line in block.lines:
            if is_whole(line) and not may_match(line):
                continue
            entry = _decode(block.file, line)
            spent += _DECODED_LINE_COST
            if query.matches(entry):
                found.append(entry)
            if len(found) == limit or spent > SEARCH_COST:
                return Page(found, entry.seq if entry.seq > 1 else None)
        if spent > SEARCH_COST:
            seq = _decode(block.file, block.lines[-1]).seq
            return Page(found, seq if seq > 1 else None)
    return Page(found, None)


def line_filter(query: Query) -> Callable[[bytes], bool]:
    """Whether a line, as the encoder writes it, may be of an entry that matches; a fraction of what decoding takes."""
    wanted = {
        b'"orchestrator_id":': query.orchestrator_id, b'"reason":': query.reason, b'"session_id":': query.session_id,
    }  # fmt: skip
    parts = [name + orjson.dumps(value) for name, value in wanted.items() if value is not None]
    since = b"" if query.since_ms is None else format_time(query.since_ms).encode()
    until = b"~" if query.until_ms is None else format_time(query.until_ms).encode()
    is_dated = query.since_ms is not None or query.until_ms is not None

    def may_match(line: bytes) -> bool:
        for part in parts:
            if part not in line:
                return False
        if not is_dated:
            return True
        begin = line.find(b'"timestamp":"') + len(b'"timestamp":"')
        # All times are written alike, so they stand in the order of their bytes.
        return since <= line[begin : begin + _TIME_BYTES] < until

    return may_match


class _File(NamedTuple):
    """A part of the journal to read: one segment, from its beginning up to byte ``end``."""

    segment: Segment
    end: int


class _Block(NamedTuple):
    """Some lines of a file, newest first, and what reading them took."""

    file: _File
    lines: list[bytes]
    cost: int


def _backwards(end: End, before: int | None) -> Iterator[_Block]:
    """The lines below ``before``, newest first, whatever segment they are in."""
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


def _file_backwards(file: _File, before: int | None) -> Iterator[_Block]:
    """The lines of ``file`` below ``before``, newest first."""
    end = file.end if before is None else _offset_of(file, before)
    byte_cost = _COMPRESSED_BYTE_COST if isinstance(file.segment, CompressedSegment) else 1
    rest = b""
    while end > 0:
        start = max(0, end - _BLOCK)
        lines = (file.segment.read(end - start, start) + rest).split(b"\n")
        # The first line of a block began in the block before it; the last piece is what follows the last newline.
        rest = lines[0] + b"\n" if start else b""
        whole = [line + b"\n" for line in reversed(lines[1:-1] if start else lines[:-1])]
        if whole:
            yield _Block(file, whole, (end - start) * byte_cost)
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
