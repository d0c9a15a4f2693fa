"""Blocked gzip: any gzip program reads it, any part can be read alone, and damage is never read as data."""

import gzip
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.store.file import blocks
from payments.store.file.blocks import END, PLAIN_BYTES, BadBlock, Blocks, Read, compress, layout
from tests.harness import campaign

TEXT = b"".join(b'{"seq":%d,"amount":"0.000%d"}\n' % (number, number * number) for number in range(40))


def opened(data: bytes) -> Blocks:
    return opened_by(lambda length, offset: data[offset : offset + length], len(data))


def opened_by(read: Read, size: int) -> Blocks:
    return Blocks(read, layout(read, size))


def packed(plain: bytes, block_bytes: int) -> bytes:
    """``plain`` in blocks of that many bytes, as another writer may choose."""
    cut = [plain[offset : offset + block_bytes] for offset in range(0, len(plain), block_bytes)]
    return b"".join(member for part in cut for member in list(compress([part]))[:-1]) + END


@campaign(100)
@given(
    parts=st.lists(st.binary(max_size=2000).map(lambda part: part * 97), max_size=6),
    reads=st.lists(st.tuples(st.integers(0, 200_000), st.integers(0, 400_000)), max_size=8),
)
def test_what_is_read_anywhere_is_what_was_written_there(
    parts: Sequence[bytes], reads: Sequence[tuple[int, int]]
) -> None:
    plain = b"".join(parts)
    data = b"".join(compress(parts))
    assert gzip.decompress(data) == plain
    found = opened(data)
    assert found.size == len(plain)
    for length, offset in [*reads, (len(plain), 0)]:
        assert found.read(length, offset) == plain[offset : offset + length]


@campaign(100)
@given(plain=st.binary(max_size=300), block_bytes=st.integers(1, 100), data=st.data())
def test_blocks_may_be_cut_anywhere(plain: bytes, block_bytes: int, data: st.DataObject) -> None:
    found = opened(packed(plain, block_bytes))
    for _ in range(5):
        offset, length = data.draw(st.integers(0, 310)), data.draw(st.integers(0, 310))
        assert found.read(length, offset) == plain[offset : offset + length]


def test_what_cannot_be_compressed_fits_its_block() -> None:
    plain = Random(0).randbytes(3 * PLAIN_BYTES + 1)
    data = b"".join(compress([plain]))
    assert gzip.decompress(data) == plain
    assert opened(data).read(len(plain), 0) == plain


def test_what_was_written_once_stays_readable() -> None:
    """Exactly the bytes of format version 1."""
    written = bytes.fromhex("1f8b08040000000000ff0600424302002300cbcf4be52a29cfe70200e60bba1208000000") + END
    assert opened(written).read(100, 0) == b"one\ntwo\n"
    assert END.hex() == "1f8b08040000000000ff0600424302001b0003000000000000000000"


def test_no_data_is_the_mark_of_the_end_alone() -> None:
    assert b"".join(compress([])) == END
    assert opened(END).size == 0
    assert gzip.decompress(END) == b""


def test_empty_blocks_in_between_hold_nothing() -> None:
    """As where two files were joined."""
    data = packed(b"one", 2) + END + packed(b"two", 3)
    assert opened(data).read(10, 0) == b"onetwo"
    assert opened(data).read(2, 3) == b"tw"


def test_a_block_is_unpacked_once_for_reads_that_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    data = packed(TEXT, 500)

    def read(length: int, offset: int) -> bytes:
        asked.append((length, offset))
        return data[offset : offset + length]

    found = opened_by(read, len(data))
    asked.clear()
    for offset in range(0, 500, 10):
        found.read(10, offset)
    assert len(asked) == 1


@pytest.mark.parametrize("block_bytes", [200, 5000], ids=["several blocks", "one block"])
def test_a_flipped_bit_is_refused_or_changes_nothing(block_bytes: int) -> None:
    """No error: the last byte of deflated data may have unused bits."""
    data = packed(TEXT, block_bytes)
    unnoticed = []
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            found = opened(bytes(flipped))
            assert found.read(len(TEXT) + 1, 0) == TEXT
            unnoticed.append(bit)
        except BadBlock:
            continue
    assert len(unnoticed) < 8 * (len(TEXT) // block_bytes + 1)


def test_any_read_of_damaged_data_is_right_lines_or_refused() -> None:
    """A wrong block length shifts the offsets of later blocks, but not their content."""
    data = packed(TEXT, 200)
    lines = set(TEXT.splitlines())
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            found = opened(bytes(flipped))
            assert set(found.read(350, found.size - 350).split(b"\n")[1:-1]) <= lines
        except BadBlock:
            continue


@pytest.mark.parametrize("kept_bytes", range(0, 400, 7))
def test_a_file_that_was_cut_is_refused(kept_bytes: int) -> None:
    data = packed(TEXT, 200)
    with pytest.raises(BadBlock, match="the empty block that marks the end"):
        opened(data[:kept_bytes])


def test_a_block_that_was_taken_out_of_the_middle_cannot_be_noticed_here() -> None:
    """Only the chain of lines shows it."""
    first, second = packed(b"a" * 100, 100)[: -len(END)], packed(b"b" * 100, 100)
    assert opened(first + second).read(200, 0) == b"a" * 100 + b"b" * 100
    assert opened(second).read(200, 0) == b"b" * 100


def test_a_file_that_shrinks_while_it_is_read_is_refused() -> None:
    data = packed(TEXT, 200)
    kept = bytearray(data)
    found = opened_by(lambda length, offset: bytes(kept[offset : offset + length]), len(data))
    del kept[100:]
    with pytest.raises(BadBlock, match="cut short"):
        found.read(len(TEXT), 0)


def test_a_file_that_changes_while_it_is_read_is_refused() -> None:
    """The new content is valid too, and as long."""
    data, other = (b"".join(compress([b"a" * length])) for length in (50, 51))
    assert len(data) == len(other)
    kept = bytearray(data)
    found = opened_by(lambda length, offset: bytes(kept[offset : offset + length]), len(data))
    kept[:] = other
    with pytest.raises(BadBlock, match="the checksum or length of the block at byte 0"):
        found.read(50, 0)


def test_ordinary_gzip_is_refused() -> None:
    with pytest.raises(BadBlock, match="no block of compressed data begins at byte 0"):
        opened(gzip.compress(TEXT) + END)


def test_block_that_claims_too_much_content_is_refused() -> None:
    member = bytearray(packed(TEXT, 5000)[: -len(END)])
    member[-4:] = (70_000).to_bytes(4, "little")
    with pytest.raises(BadBlock, match="70000 bytes, more than any does"):
        opened(bytes(member) + END)


def test_a_block_that_unpacks_to_more_than_a_block_may_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "PLAIN_BYTES", 1 << 20)
    member = bytearray(next(iter(compress([bytes(1 << 20)]))))
    member[-4:] = (100).to_bytes(4, "little")
    with pytest.raises(BadBlock, match="does not end where the block does"):
        opened(bytes(member) + END).read(100, 0)
