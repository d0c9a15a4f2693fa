"""Reads the journal backwards, a page at a time."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import orjson

from payments.domain.entries import Entry
from payments.domain.times import format_time
from payments.errors import Corrupt
from payments.store.file.blocks import PLAIN_BYTES
from payments.store.file.codec import BadLine, UnknownVersion, decode, has_valid_checksum
from payments.store.file.journal import End
from payments.store.file.lines import split_lines
from payments.store.file.segments import CompressedSegment, PlainSegment, Segment, open_sealed, sealed_segments
from payments.store.protocol import EntryQuery, Page

MAX_PAGE_US = 28_000
"""A page stops after about this much work, in microseconds as measured once (not by the clock: pages are the same on
every machine)."""

# The measured costs: searching a plain or compressed block for a text, filtering its lines, decoding one line.
_PLAIN_US, _COMPRESSED_US = 200, 130
_LINES_US = 120
_ENTRY_US = 36
_BLOCK = PLAIN_BYTES
_SEQ = re.compile(rb'\{"seq":([0-9]+),')
_RESTORE = "Stop all processes of Payments, and restore the journal's segments from a backup"
_TIME_BYTES = 24


def read_page(end: End, query: EntryQuery, before: int | None, limit: int) -> Page[Entry]:
    """The matching entries with a ``seq`` below ``before``, newest first. Raises ``Corrupt`` and ``OSError``."""
    found: list[Entry] = []
    texts = _texts(query)
    may_match = line_filter(query)
    spent_us = 0
    last_seq = end.position.seq if before is None else max(0, min(end.position.seq, before - 1))
    for block in backwards(end, before):
        last_seq = _check_place(block, last_seq)
        spent_us += block.cost_us
        if all(text in block.data for text in texts):
            spent_us += _LINES_US
            for line in filter(may_match, reversed(split_lines(block.data))):
                entry = decode_in(block.file, line)
                spent_us += _ENTRY_US
                if query.matches(entry):
                    found.append(entry)
                if len(found) == limit or spent_us > MAX_PAGE_US:
                    return Page(found, str(entry.seq) if entry.seq > 1 else None)
        if spent_us > MAX_PAGE_US:
            return Page(found, str(last_seq + 1) if last_seq else None)
    if last_seq:
        raise Corrupt(f"PAY-J09 {end.path}: the entries up to seq {last_seq} are missing. {_RESTORE}")
    return Page(found, None)


def _check_place(block: "_Block", last_seq: int) -> int:
    """The ``seq`` before that of the block's first line. Raises ``Corrupt`` unless its last line has ``last_seq``."""
    first, last = (_seq(block.file, block.data[at:]) for at in (0, block.data.rfind(b"\n", 0, -1) + 1))
    if last != last_seq:
        raise Corrupt(
            f"PAY-J09 {block.file.segment.path}: what is in front of seq {last_seq + 1} has seq {last}: entries "
            f"are missing. {_RESTORE}"
        )
    return first - 1


def _seq(file: "SegmentPrefix", line: bytes) -> int:
    match = _SEQ.match(line)
    return int(match[1]) if match else decode_in(file, line[: line.find(b"\n") + 1]).seq


def _texts(query: EntryQuery) -> list[bytes]:
    """Texts that the line of every matching entry contains."""
    wanted = {
        b'"orchestrator_id":': query.orchestrator_id, b'"reason":': query.reason, b'"session_id":': query.session_id,
    }  # fmt: skip
    return [name + orjson.dumps(value) for name, value in wanted.items() if value is not None]


def line_filter(query: EntryQuery) -> Callable[[bytes], bool]:
    """A function that says whether a line may be that of a matching entry; much faster than decoding the line."""
    texts = _texts(query)
    since = b"" if query.since_ms is None else format_time(query.since_ms).encode()
    until = b"~" if query.until_ms is None else format_time(query.until_ms).encode()
    is_dated = query.since_ms is not None or query.until_ms is not None

    def may_match(line: bytes) -> bool:
        for text in texts:
            if text not in line:
                return False
        if not is_dated:
            return True
        begin = line.find(b'"timestamp":"') + len(b'"timestamp":"')
        # All timestamps have the same format, so comparing bytes compares times.
        return since <= line[begin : begin + _TIME_BYTES] < until

    return may_match


class SegmentPrefix(NamedTuple):
    """A segment from its beginning up to byte ``end``."""

    segment: Segment
    end: int


class _Block(NamedTuple):
    """Complete lines of a segment, and the cost of searching them, in microseconds."""

    file: SegmentPrefix
    data: bytes
    cost_us: int


def backwards(end: End, before: int | None) -> Iterator[_Block]:
    """Blocks of the lines with a ``seq`` below ``before`` (``None``: all), the last block first, from all segments."""
    position = end.position
    if before is None or before > position.segment:
        active = SegmentPrefix(PlainSegment(end.disk, end.path, end.descriptor), position.offset)
        yield from _file_backwards(active, before if before is None or before <= position.seq else None)
    for first_seq, _ in reversed(sealed_segments(end.path)):
        if first_seq >= position.segment or (before is not None and before <= first_seq):
            continue
        segment = open_sealed(end.disk, end.path, first_seq)
        try:
            yield from _file_backwards(SegmentPrefix(segment, segment.size()), before)
        finally:
            segment.close()


def _file_backwards(file: SegmentPrefix, before: int | None) -> Iterator[_Block]:
    """The same, of one segment, with every checksum checked. Raises ``Corrupt``."""
    end = file.end if before is None else _offset_of(file, before)
    is_checked = isinstance(file.segment, CompressedSegment)
    rest = b""
    while end > 0:
        # Align with compressed blocks, which are unpacked as a whole.
        start = (end - 1) // _BLOCK * _BLOCK
        data = file.segment.read(end - start, start) + rest
        # The part before the first newline began in the previous block; the part after the last is not yet a line.
        first = (data.find(b"\n") + 1 or len(data)) if start else 0
        rest = data[:first]
        if complete := data[first : data.rfind(b"\n") + 1]:
            # A compressed block has a checksum of its own.
            if not is_checked:
                for line in split_lines(complete):
                    if not has_valid_checksum(line):
                        decode_in(file, line)
            yield _Block(file, complete, _COMPRESSED_US if is_checked else _PLAIN_US)
        end = start


def _offset_of(file: SegmentPrefix, seq: int) -> int:
    """Where the line with ``seq`` begins, or the file ends. A binary search."""
    low, high = 0, file.end
    while low < high:
        middle = (low + high) // 2
        start, line = _line_from(file, middle, high)
        if not line or decode_in(file, line).seq >= seq:
            high = middle
        else:
            low = start + len(line)
    return low


def _line_from(file: SegmentPrefix, offset: int, end: int) -> tuple[int, bytes]:
    """The first line that begins at or after ``offset`` and before ``end``: its offset, and the line."""
    start = max(0, offset - 1)
    data = file.segment.read(min(_BLOCK, file.end - start), start)
    begin = data.find(b"\n") + 1 if offset else 0
    if start + begin >= end:
        return end, b""
    return start + begin, data[begin : data.find(b"\n", begin) + 1]


def decode_in(file: SegmentPrefix, line: bytes) -> Entry:
    """The entry in ``line`` of ``file``. Raises ``Corrupt``."""
    try:
        return decode(line)[0]
    except (BadLine, UnknownVersion) as error:
        raise Corrupt(
            f"PAY-J06 {file.segment.path}: a line that begins {line[:40]!r} cannot be read: {error}"
        ) from error
