"""Reading the journal backwards, a page at a time."""

from collections.abc import Iterator

from payments.domain.entries import Entry
from payments.errors import Corrupt
from payments.store.file.codec import BadLine, UnknownVersion, decode
from payments.store.file.journal import Journal
from payments.store.protocol import Page, Query

SEARCH_LIMIT = 5_000
"""A page looks at no more entries than this, found or not, so that no call takes long whatever it asks for."""

_BLOCK = 1 << 16


def read_page(journal: Journal, query: Query, before: int | None, limit: int) -> Page:
    """Entries that match, newest first, from the one below seq ``before`` on. Raises ``Corrupt``."""
    position = journal.position
    end = position.offset if before is None or before > position.seq else _offset_of(journal, before)
    found: list[Entry] = []
    for searched, entry in enumerate(_backwards(journal, end), start=1):
        if query.matches(entry):
            found.append(entry)
        if (len(found) == limit or searched == SEARCH_LIMIT) and entry.seq > 1:
            return Page(found, entry.seq)
    return Page(found, None)


def _backwards(journal: Journal, end: int) -> Iterator[Entry]:
    """The entries that end at byte ``end`` and before, newest first."""
    rest = b""
    while end > 0:
        start = max(0, end - _BLOCK)
        data = journal.disk.read(journal.descriptor, end - start, start) + rest
        lines = data.split(b"\n")
        # The first line of a block began in the block before it; the last piece is what follows the last newline.
        rest = lines[0] + b"\n" if start else b""
        for line in reversed(lines[1:-1] if start else lines[:-1]):
            yield _decode(journal, line + b"\n")
        end = start


def _offset_of(journal: Journal, seq: int) -> int:
    """Where the line with ``seq`` begins, found by halving the file."""
    low, high = 0, journal.position.offset
    while low < high:
        middle = (low + high) // 2
        start, line = _line_from(journal, middle, high)
        if not line or _decode(journal, line).seq >= seq:
            high = middle
        else:
            low = start + len(line)
    return low


def _line_from(journal: Journal, offset: int, end: int) -> tuple[int, bytes]:
    """The first line that begins at ``offset`` or behind it and before ``end``, and where it begins."""
    start = max(0, offset - 1)
    data = journal.disk.read(journal.descriptor, min(_BLOCK, journal.position.offset - start), start)
    begin = data.find(b"\n") + 1 if offset else 0
    if start + begin >= end:
        return end, b""
    return start + begin, data[begin : data.find(b"\n", begin) + 1]


def _decode(journal: Journal, line: bytes) -> Entry:
    try:
        return decode(line)[0]
    except (BadLine, UnknownVersion) as error:
        raise Corrupt(f"{journal.path}: a line that begins {line[:40]!r} cannot be read: {error}") from error
