"""Every bit of a sixteen-entry journal flipped, one at a time: never a wrong balance.

``PAYMENTS_TEST_FLIP_STRIDE`` is how many bits apart the flips are that a whole store is opened on; 1 takes minutes.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from payments.errors import Corrupt
from payments.store.file.codec import Position, decode_next
from payments.store.file.journal import BadTail, Journal
from payments.store.file.recovery import mend_tail
from payments.store.protocol import Query
from tests.disk.scripted import HastyDisk
from tests.harness import NOON_MS, file_store, journal_path
from tests.store.file.history import History, facts, lay, opened

STRIDE = int(os.environ.get("PAYMENTS_TEST_FLIP_STRIDE", "97"))
ENTRIES = 16


def flips(path: Path, begin: int, end: int) -> Iterator[int]:
    """Flip one bit after the other of the bytes from ``begin`` to ``end``, each back in place before the next."""
    with path.open("r+b", buffering=0) as file:
        for bit in range(8 * begin, 8 * end, STRIDE):
            offset, mask = bit // 8, 1 << bit % 8
            before = os.pread(file.fileno(), 1, offset)
            os.pwrite(file.fileno(), bytes([before[0] ^ mask]), offset)
            yield bit
            os.pwrite(file.fileno(), before, offset)


def line_at(history: History, offset: int) -> int:
    """The number of the line that the byte at ``offset`` belongs to."""
    return history.journal[:offset].count(b"\n") + 1


class DiskInMemory(HastyDisk):
    """Reads ``data`` whatever the file: for more journals, each a bit different, than a real one can be in time."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)

    def read(self, descriptor: int, length: int, offset: int) -> bytes:
        return bytes(self.data[offset : offset + length])

    def size(self, descriptor: int) -> int:
        return len(self.data)

    def truncate(self, descriptor: int, size: int) -> None:
        raise AssertionError("a journal with a flipped bit must not be cut")


@pytest.mark.parametrize("number", range(1, ENTRIES + 1))
def test_recovery_refuses_every_flipped_bit_of_line(number: int, history: History, tmp_path: Path) -> None:
    """Reads from the line on: the lines before it are sound, and whole stores are opened in the tests below."""
    begin = Position()
    for line in history.lines[: number - 1]:
        _, begin, _ = decode_next(line, begin)
    disk = DiskInMemory(history.journal)
    journal = Journal(disk, journal_path(tmp_path))
    accepted = []
    for bit in range(8 * begin.offset, 8 * (begin.offset + len(history.lines[number - 1]))):
        disk.data[bit // 8] ^= 1 << bit % 8
        if not refuses(journal, begin, number):
            accepted.append(bit)
        disk.data[bit // 8] ^= 1 << bit % 8
    journal.close()
    assert accepted == []


def refuses(journal: Journal, begin: Position, number: int) -> bool:
    """Whether recovery that has come to ``begin`` refuses what follows, and says in which line."""
    journal.position = begin
    try:
        list(journal.read_on())
    except BadTail as bad:
        try:
            mend_tail(journal, bad, 0, NOON_MS)
        except Corrupt as refusal:
            return str(refusal).startswith(f"{journal.path}, line {number} (byte ")
    return False


def test_a_store_refuses_a_flipped_bit_naming_file_and_line(history: History, tmp_path: Path) -> None:
    lay(tmp_path, history.journal)
    path = journal_path(tmp_path)
    for bit in flips(path, 0, len(history.journal)):
        with pytest.raises(Corrupt) as refusal:
            file_store(tmp_path, disk=HastyDisk())
        assert str(refusal.value).startswith(f"{path}, line {line_at(history, bit // 8)} (byte ")
    assert opened(tmp_path) == history.facts[-1]


def test_with_projections_a_flipped_bit_is_refused_or_changes_no_balance(history: History, tmp_path: Path) -> None:
    """The start reads behind the projections only: what it does not read, it does not notice, and does not need."""
    lay(tmp_path, history.journal, history.sessions[-1], history.balances[-1])
    path = journal_path(tmp_path)
    last_line = len(history.journal) - len(history.lines[-1]) - 1  # the newline before it marks where it begins
    for bit in flips(path, 0, last_line):
        store = file_store(tmp_path, disk=HastyDisk())
        assert facts(store) == history.facts[-1]
        with pytest.raises(Corrupt, match="cannot be read"):
            store.entries(Query(), before=line_at(history, bit // 8) + 2)
        store.close()
    for _ in flips(path, last_line, len(history.journal)):
        with pytest.raises(Corrupt, match="that is not what the journal has there"):
            file_store(tmp_path, disk=HastyDisk())


def test_half_way_projections_do_not_hide_a_flipped_bit_behind_them(history: History, tmp_path: Path) -> None:
    lay(tmp_path, history.journal, history.sessions[8], history.balances[8])
    path = journal_path(tmp_path)
    behind = len(b"".join(history.lines[:8]))
    for bit in flips(path, behind, len(history.journal)):
        with pytest.raises(Corrupt) as refusal:
            file_store(tmp_path, disk=HastyDisk())
        assert str(refusal.value).startswith(f"{path}, line {line_at(history, bit // 8)} (byte ")
