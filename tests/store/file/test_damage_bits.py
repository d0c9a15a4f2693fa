"""Flipping any single bit of a sixteen-entry journal never gives a wrong balance.

A store is opened for every ``PAYMENTS_TEST_FLIP_STRIDE``-th bit; 1 takes minutes.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from payments.errors import Corrupt
from payments.store.file.codec import Position, decode_lines
from payments.store.file.recovery import looks_torn
from tests.disk.scripted import HastyDisk
from tests.harness import file_store, journal_path, uncoded
from tests.store.file.history import History, lay, opened

STRIDE = int(os.environ.get("PAYMENTS_TEST_FLIP_STRIDE", "97"))
ENTRIES = 16


def flips(path: Path, begin: int, end: int) -> Iterator[int]:
    """Flip each bit of the bytes from ``begin`` to ``end`` in turn, and restore it before the next."""
    with path.open("r+b", buffering=0) as file:
        for bit in range(8 * begin, 8 * end, STRIDE):
            offset, mask = bit // 8, 1 << bit % 8
            before = os.pread(file.fileno(), 1, offset)
            os.pwrite(file.fileno(), bytes([before[0] ^ mask]), offset)
            yield bit
            os.pwrite(file.fileno(), before, offset)


def line_at(history: History, offset: int) -> int:
    """Number of the line with the byte at ``offset``."""
    return history.journal[:offset].count(b"\n") + 1


@pytest.mark.parametrize("number", range(1, ENTRIES + 1))
def test_no_flipped_bit_passes_for_a_line_or_for_a_torn_tail(number: int, history: History) -> None:
    """Each bit of a line, as recovery sees it on reaching that line."""
    position = decode_lines(history.lines[: number - 1], Position()).position
    tail = bytearray(history.journal[position.offset :])
    passed = []
    for bit in range(8 * len(history.lines[number - 1])):
        tail[bit // 8] ^= 1 << bit % 8
        if is_line(tail[: tail.find(b"\n") + 1], position) or looks_torn(bytes(tail)):
            passed.append(bit)
        tail[bit // 8] ^= 1 << bit % 8
    assert passed == []


def is_line(data: bytearray, position: Position) -> bool:
    """Whether ``data`` is a valid line at ``position``."""
    return decode_lines([bytes(data)], position).error is None


def test_a_store_refuses_a_flipped_bit_naming_file_and_line(history: History, tmp_path: Path) -> None:
    lay(tmp_path, history.journal)
    path = journal_path(tmp_path)
    for bit in flips(path, 0, len(history.journal)):
        with pytest.raises(Corrupt) as refusal:
            file_store(tmp_path, disk=HastyDisk())
        assert uncoded(refusal.value).startswith(f"{path}, line {line_at(history, bit // 8)} (byte ")
    assert opened(tmp_path) == history.facts[-1]


def test_with_projections_a_flipped_bit_is_refused_too(history: History, tmp_path: Path) -> None:
    """A start compares projections with the last lines, which here share a block with all others."""
    lay(tmp_path, history.journal, history.shown[-1])
    path = journal_path(tmp_path)
    last_line = len(history.journal) - len(history.lines[-1]) - 1  # the newline before it marks where it begins
    for _ in flips(path, 0, last_line):
        with pytest.raises(Corrupt, match="cannot be read"):
            file_store(tmp_path, disk=HastyDisk())
    for _ in flips(path, last_line, len(history.journal)):
        with pytest.raises(Corrupt, match="that is not what the journal has there"):
            file_store(tmp_path, disk=HastyDisk())


def test_half_way_projections_do_not_hide_a_flipped_bit_behind_them(history: History, tmp_path: Path) -> None:
    lay(tmp_path, history.journal, history.shown[8])
    path = journal_path(tmp_path)
    behind = len(b"".join(history.lines[:8]))
    for bit in flips(path, behind, len(history.journal)):
        with pytest.raises(Corrupt) as refusal:
            file_store(tmp_path, disk=HastyDisk())
        assert uncoded(refusal.value).startswith(f"{path}, line {line_at(history, bit // 8)} (byte ")
