"""Blocked gzip (BGZF): a gzip file that can be read at any offset of its plain data. Pure.

The format of ``bgzip`` and ``samtools`` (SAM specification, section 4.1): gzip members of at most 64 KiB of plain data,
each with its compressed length in the extra field ``BC``, and an empty member at the end. ``gzip -dc`` unpacks it. The
lengths allow finding every member by reading only the headers.
"""

import struct
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeAlias

from isal import isal_zlib

PLAIN_BYTES = 0xFF00
"""Plain data per member, the same as ``bgzip``: even incompressible data then fits the length field."""

END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
"""The empty member at the end of every complete file."""

Read: TypeAlias = Callable[[int, int], bytes]
"""Reads ``length`` bytes from ``offset``; fewer only at the end."""

# Deflate, extra field, no time, unknown system, 6 bytes of extra field: "BC" and 2 bytes, the member's length - 1.
_MAGIC = END[:16]
_HEADER = struct.Struct("<16sH")
_TRAILER = struct.Struct("<II")
_MAX_PLAIN_BYTES = 1 << 16


class BadBlock(ValueError):
    """The file violates this format; the message says where and how."""


class Layout(NamedTuple):
    """Where each member begins, in the file and in the plain data; the last items are the two ends."""

    offsets: "array[int]"
    plain_offsets: "array[int]"


class _Member(NamedTuple):
    """One gzip member: where it begins in the file, and where its plain data begins; lengths in bytes."""

    offset: int
    length: int
    plain_offset: int
    plain_length: int


def compress(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The members of a file that holds ``parts`` one after the other. Members need not end where a part does."""
    rest = b""
    for part in parts:
        rest += part
        full_bytes = len(rest) - len(rest) % PLAIN_BYTES
        for offset in range(0, full_bytes, PLAIN_BYTES):
            yield _pack(rest[offset : offset + PLAIN_BYTES])
        rest = rest[full_bytes:]
    if rest:
        yield _pack(rest)
    yield END


def layout(read: Read, file_size: int) -> Layout:
    """The layout of a file, from its headers. Raises ``BadBlock``, and whatever ``read`` raises."""
    offsets, plain_offsets = array("Q", [0]), array("Q", [0])
    for member in _members(read, file_size):
        offsets.append(member.offset + member.length)
        plain_offsets.append(member.plain_offset + member.plain_length)
    return Layout(offsets, plain_offsets)


class Blocks:
    """The plain data of a blocked gzip file. Caches the member unpacked last.

    Attributes:
        size: of the plain data, in bytes, according to the members; checked when a member is read.
    """

    def __init__(self, read: Read, where: Layout) -> None:
        self._read = read
        self._where = where
        self.size = where.plain_offsets[-1]
        self._last: tuple[int, bytes] = -1, b""

    def read(self, length: int, offset: int) -> bytes:
        """``length`` bytes of plain data from ``offset``; fewer only at the end. Raises as ``layout``."""
        parts = []
        end = min(self.size, offset + length)
        index = bisect_right(self._where.plain_offsets, offset) - 1
        while offset < end:
            begin = offset - self._where.plain_offsets[index]
            part = self._unpacked(index)[begin : begin + end - offset]
            parts.append(part)
            offset += len(part)
            index += 1
        return b"".join(parts)

    def _unpacked(self, index: int) -> bytes:
        if self._last[0] != index:
            offsets, plain_offsets = self._where
            offset, plain_offset = offsets[index], plain_offsets[index]
            member = _Member(offset, offsets[index + 1] - offset, plain_offset, plain_offsets[index + 1] - plain_offset)
            self._last = index, _unpack(self._read(member.length, member.offset), member)
        return self._last[1]


def _pack(plain: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    body = packer.compress(plain) + packer.flush()
    length = _HEADER.size + len(body) + _TRAILER.size
    return _HEADER.pack(_MAGIC, length - 1) + body + _TRAILER.pack(isal_zlib.crc32(plain), len(plain))


def _members(read: Read, file_size: int) -> Iterator[_Member]:
    last = file_size - len(END)
    if last < 0 or read(len(END), last) != END:
        raise BadBlock("it does not end with the empty block that marks the end of a whole file")
    offset = plain_offset = 0
    header = read(_HEADER.size, 0)
    while offset < last:
        length = _length(header, offset)
        end = offset + length
        if end > last:
            raise BadBlock(f"the block at byte {offset} has a length of {length} bytes, which is beyond the end")
        # There is always a next header: at least that of the empty member at the end.
        joint = read(_TRAILER.size + _HEADER.size, end - _TRAILER.size)
        if len(joint) < _TRAILER.size + _HEADER.size:
            raise BadBlock(f"the block at byte {offset} is cut short")
        _, plain_length = _TRAILER.unpack_from(joint)
        if plain_length > _MAX_PLAIN_BYTES:
            raise BadBlock(f"the block at byte {offset} says that it holds {plain_length} bytes, more than any does")
        yield _Member(offset, length, plain_offset, plain_length)
        plain_offset += plain_length
        offset, header = end, joint[_TRAILER.size :]


def _length(header: bytes, offset: int) -> int:
    if len(header) < _HEADER.size or not header.startswith(_MAGIC):
        raise BadBlock(f"no block of compressed data begins at byte {offset}")
    _, length_less_one = _HEADER.unpack(header)
    if length_less_one + 1 <= _HEADER.size + _TRAILER.size:
        raise BadBlock(f"the block at byte {offset} has a length of {length_less_one + 1} bytes, less than any has")
    return int(length_less_one) + 1


def _unpack(data: bytes, member: _Member) -> bytes:
    if len(data) < member.length:
        raise BadBlock(f"the block at byte {member.offset} is cut short")
    # Unpacks in half the time of zlib. For packing, zlib is better: it makes smaller files.
    unpacker = isal_zlib.decompressobj(wbits=-isal_zlib.MAX_WBITS)
    try:
        plain = unpacker.decompress(data[_HEADER.size : -_TRAILER.size], _MAX_PLAIN_BYTES + 1)
    except isal_zlib.error as error:  # type: ignore[misc]  # its stub declares an instance
        raise BadBlock(f"the block at byte {member.offset} cannot be unpacked ({error})") from error
    if not unpacker.eof or unpacker.unused_data:
        raise BadBlock(f"the compressed data of the block at byte {member.offset} does not end where the block does")
    # Also compare with the length from which the layout computed all later offsets.
    checksum_and_length = isal_zlib.crc32(plain), member.plain_length
    if _TRAILER.unpack(data[-_TRAILER.size :]) != checksum_and_length or len(plain) != member.plain_length:
        raise BadBlock(f"the checksum or length of the block at byte {member.offset} does not fit its content")
    return plain
