"""Reading ahead: what another process writes is decoded while that one still has the lock.

To decode what the others have written is a quarter of the work on an event, and under the lock all wait for it. Without
the lock nothing of it may be relied on, for its writer may yet cut it off. So whoever reads on under the lock compares
what is there then with what was decoded, byte by byte; that takes a fiftieth of the time.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from payments.disk.lock import HotLock
from payments.domain.entries import Entry
from payments.store.file.codec import Decoded, Position, decode_lines, parse
from payments.store.file.journal import Journal

PIECE_ENTRIES = 64
"""Whoever has more entries to write, and so keeps the lock for milliseconds, writes them in pieces of about so many.

A piece takes 1 ms or 2.
"""

# A thousand lines: that many are soon read under the lock.
_FEW_BYTES = 1 << 20


class _Piece(NamedTuple):
    lines: Sequence[bytes]
    decoded: Decoded


class Ahead:
    """A process's wait for the lock, and the lines that it decoded meanwhile."""

    def __init__(self) -> None:
        self._pieces: dict[Position, _Piece] = {}
        self._position = Position()
        self._expects_pieces = False

    def acquire(self, lock: HotLock, journal: Journal) -> None:
        """Returns with the lock held, however long that takes. Raises ``OSError``."""
        self._pieces.clear()
        self._position = journal.position
        patiently, self._expects_pieces = self._expects_pieces, False
        lock.acquire_working(lambda: self._read(journal), patiently=patiently)

    def decode(self, lines: Sequence[bytes], position: Position) -> Decoded:
        """As ``decode_lines``, but what was read ahead, and stands there still, is not decoded again."""
        self._expects_pieces |= len(lines) >= PIECE_ENTRIES
        entries: list[Entry] = []
        durable = 0
        begin = 0
        while (piece := self._pieces.pop(position, None)) and piece.lines == lines[begin : begin + len(piece.lines)]:
            entries += piece.decoded.entries
            durable = max(durable, piece.decoded.durable)
            begin += len(piece.lines)
            position = piece.decoded.position
        rest = decode_lines(lines[begin:], position)
        return Decoded([*entries, *rest.entries], rest.position, max(durable, rest.durable), rest.error)

    def _read(self, journal: Journal) -> bool:
        """Decode what is new and sound in the file; whether there was any."""
        try:
            lines = journal.peek(self._position.offset)
        except OSError:
            # Whoever reads on under the lock says so.
            return False
        decoded = decode_lines(lines, self._position)
        if not decoded.entries:
            return False
        self._pieces[self._position] = _Piece(lines[: len(decoded.entries)], decoded)
        self._position = decoded.position
        return True


def read_settled(journal: Journal) -> Iterator[Sequence[Entry]]:
    """The entries behind the position of ``journal`` that nobody will cut off any more, but for the last few.

    They need no lock: somebody knew them to be on disk, and said so in a later line. Not those of a file that is not
    open yet: which one that is, nobody can be sure of without the lock.
    """
    while (size := journal.current_size()) is not None and size - journal.position.offset > _FEW_BYTES:
        position = journal.position
        latest = journal.peek(max(0, size - _FEW_BYTES))
        settled_seq = int(parse(latest[-1]).durable) if latest else 0
        read = decode_lines(journal.peek(position.offset)[: max(0, settled_seq - position.seq)], position)
        if not read.entries:
            return
        journal.position = read.position
        journal.durable_seq = max(journal.durable_seq, read.position.seq)
        yield read.entries
    if size is None and journal.is_sealed():
        yield from journal.read_behind_seal()
