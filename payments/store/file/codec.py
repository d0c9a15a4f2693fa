"""Entry <-> line, checksum and chain. Pure; FORMAT.rst specifies the format."""

import re
import sys
from array import array
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple, TypeAlias, TypeVar

import msgspec
import orjson
from isal.isal_zlib import crc32

from payments.domain.entries import JSON, Entry
from payments.domain.money import read_eth
from payments.domain.readings import PowerState
from payments.domain.records import entry_record
from payments.domain.sessions import Session
from payments.domain.times import read_time

VERSION = 1
FIRST_HASH = "0" * 64

# As the encoder writes them. Quotation marks within a JSON string are escaped, so no string can contain these.
SESSION_MARK, POWER_MARK = b',"session":[', b',"power":['

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')

_CRC_LENGTH = len(',"crc":"00000000"}\n')
PREV = slice(-64 - len('"') - _CRC_LENGTH, -len('"') - _CRC_LENGTH)
"""Where in a line the hash of the previous line is."""

# All entries of a group have the same time.
_read_recorded = lru_cache(maxsize=1)(read_time)

S = TypeVar("S", Session, PowerState)


class BadLine(ValueError):
    """The line violates this format; the message says how."""


class UnknownVersion(Exception):
    """The line is valid, but of a format version that this code does not know."""


class Position(NamedTuple):
    """A position between two lines of the journal.

    Attributes:
        seq: of the line before it; 0 at the beginning.
        offset: bytes from the beginning of the segment, uncompressed.
        hash: of the line before it, 64 hex digits; ``FIRST_HASH`` at the beginning.
        segment: the ``seq`` of the segment's first line.
    """

    seq: int = 0
    offset: int = 0
    hash: str = FIRST_HASH
    segment: int = 1

    def behind(self, line: bytes) -> "Position":
        """The position after ``line``, which begins here."""
        return Position(self.seq + 1, self.offset + len(line), line_hash(line), self.segment)


class Decoded(NamedTuple):
    """Consecutive lines, decoded up to the first bad one.

    Attributes:
        entries: of the good lines, in order; a ``Decode`` may leave out entries.
        position: after the last good line.
        durable: the highest ``durable`` in a good line.
        error: what is wrong with the line at ``position``; ``None`` if all lines are good.
    """

    entries: Sequence[Entry]
    position: Position
    durable: int
    error: "BadLine | UnknownVersion | None" = None


Decode: TypeAlias = Callable[[Sequence[bytes], Position], Decoded]
"""A function that decodes the lines that begin at a position."""


def encode(entry: Entry, durable_seq: int, prev: str) -> bytes:
    """The line of ``entry``; ``prev`` is the hash of the line before it."""
    record: dict[str, Any] = entry_record(entry)
    if entry.session is not None:
        record["session"] = _row(entry.session, _SESSION_WEI)
    if entry.power is not None:
        record["power"] = _row(entry.power, _POWER_WEI)
    record["v"] = VERSION
    record["durable"] = durable_seq
    record["prev"] = prev
    body = orjson.dumps(record)[:-1]
    return b'%b,"crc":"%08x"}\n' % (body, crc32(body))


def line_hash(line: bytes) -> str:
    """The SHA-256 of ``line``, which the next line has as ``prev``."""
    return sha256(line).hexdigest()


def has_valid_checksum(line: bytes) -> bool:
    """Whether ``line`` is unchanged since it was written."""
    # Compare bytes, not numbers: a checksum with changed letter case must not pass.
    return line.endswith(b',"crc":"%08x"}\n' % crc32(line[:-_CRC_LENGTH]))


def have_valid_checksums(lines: Sequence[bytes]) -> bool:
    """Whether all lines are unchanged. For many lines twice as fast as ``has_valid_checksum`` for each."""
    checksums = array("I", [crc32(line[:-_CRC_LENGTH]) for line in lines])
    if sys.byteorder == "little":
        checksums.byteswap()
    ends = ',"crc":"' + checksums.tobytes().hex("|", 4).replace("|", '"}\n,"crc":"') + '"}\n'
    return b"".join([line[-_CRC_LENGTH:] for line in lines]) == ends.encode()


def check_checksum(line: bytes) -> None:
    """Raises ``BadLine`` unless ``has_valid_checksum(line)``."""
    if not has_valid_checksum(line):
        raise BadLine("its checksum does not fit its content")


def subject_at(line: bytes, begin: int = 0) -> int:
    """The index after ``begin`` at which the session or power state begins in ``line``; -1: it has neither."""
    at = line.find(SESSION_MARK, begin)
    return at if at >= 0 else line.find(POWER_MARK, begin)


def subject_of(line: bytes, at: int) -> bytes:
    """A key for the session or power state at index ``at`` of ``line``: its mark and its id, as written."""
    # The mark ends with the first bracket; the id follows it.
    name = _STRING.match(line, line.index(b"[", at) + 1)
    return line[at : name.end()] if name else line[at:]


def decode(line: bytes) -> tuple[Entry, int]:
    """The entry in ``line``, and its ``durable``. Checks no chain. Raises ``BadLine``, ``UnknownVersion``."""
    record = parse(line)
    return _entry(record, record.metadata), record.durable


def decode_to_fold(line: bytes) -> Entry:
    """As ``decode``, but with only the metadata that ``evolve`` needs: all of it would take longer than the rest."""
    return _entry_to_fold(parse(line, _LINE_TO_FOLD))


def decode_lines(lines: Sequence[bytes], position: Position) -> Decoded:
    """Decode ``lines``, the first of which is at ``position``, for folding: the default ``Decode``.

    One loop, for speed. A line whose hash the next line has is unchanged since it was hashed, so its checksum is not
    computed. (A line damaged before it was hashed is found by a start and by ``verify``, which check all checksums.)
    """
    seq, offset, prev, segment = position
    entries: list[Entry] = []
    durable = 0
    error: BadLine | UnknownVersion | None = None
    for line, following in zip(lines, [*lines[1:], b""], strict=False):
        digest = line_hash(line)
        try:
            if following[PREV] != digest.encode():
                check_checksum(line)
            record = _parse(line, _LINE_TO_FOLD)
            if record.prev != prev:
                raise BadLine(
                    "it does not continue the chain: the line before it is not the one that it was written after"
                )
            if record.seq != seq + 1:
                raise BadLine(f"it has seq {record.seq} where {seq + 1} must stand")
            entries.append(_entry_to_fold(record))
        except (BadLine, UnknownVersion) as why:
            error = why
            break
        seq += 1
        offset += len(line)
        prev = digest
        durable = max(durable, record.durable)
    return Decoded(entries, Position(seq, offset, prev, segment), durable, error)


class _Line(msgspec.Struct, gc=False):
    """The fields of a line that every decoder reads; amounts and times are text."""

    seq: int
    timestamp: str
    event: str
    reason: str
    orchestrator_id: str | None
    v: int
    durable: int
    prev: str
    delta: str | None = None
    balance: str | None = None


class _ToFold(msgspec.Struct, gc=False):
    """The part of the metadata that the state depends on."""

    booked_as: Any = None


def _wei_of(kind: type[msgspec.Struct]) -> Sequence[int]:
    """The indexes of the fields of ``kind`` that hold wei.

    On disk they are strings: most readers turn JSON numbers into floats, and more than 18 ETH exceed 64 bits.
    """
    return [place for place, name in enumerate(kind.__struct_fields__) if name.endswith("_wei")]


def _row_of(kind: type[msgspec.Struct]) -> Any:
    """The type of ``kind`` in a line: an array of its fields."""
    types = [str if field.name.endswith("_wei") else field.type for field in msgspec.structs.fields(kind)]
    return tuple.__class_getitem__(tuple(types))


def _decoder(metadata: type) -> msgspec.json.Decoder[Any]:
    """A decoder of lines that reads ``metadata`` of their metadata."""
    fields = [("session", _row_of(Session) | None, None), ("power", _row_of(PowerState) | None, None)]
    return msgspec.json.Decoder(
        msgspec.defstruct("_Line", [("metadata", metadata), *fields], bases=(_Line,), gc=False, kw_only=True)
    )


_SESSION_WEI, _POWER_WEI = _wei_of(Session), _wei_of(PowerState)
_LINE, _LINE_TO_FOLD = _decoder(dict[str, Any]), _decoder(_ToFold)


def parse(line: bytes, decoder: msgspec.json.Decoder[Any] = _LINE) -> Any:
    """The fields of ``line``, with checksum and version checked. Raises ``BadLine``, ``UnknownVersion``."""
    check_checksum(line)
    return _parse(line, decoder)


def _parse(line: bytes, decoder: msgspec.json.Decoder[Any]) -> Any:
    try:
        record = decoder.decode(line)
    except ValueError as error:
        raise _misfit(line, error) from error
    if record.v != VERSION:
        raise _unknown(record.v)
    return record


def _misfit(line: bytes, error: ValueError) -> BadLine | UnknownVersion:
    """Why ``line`` cannot be decoded: it is bad, or of another version, whose fields may differ."""
    try:
        version = orjson.loads(line)["v"]
    except (ValueError, KeyError, TypeError):
        return BadLine("it is not a journal line")
    return BadLine(f"it is not an entry ({error})") if version == VERSION else _unknown(version)


def _unknown(version: object) -> UnknownVersion:
    return UnknownVersion(
        f"PAY-J07 format version {version} is not known here; a newer Payments wrote it: upgrade first"
    )


def _entry_to_fold(record: Any) -> Entry:
    booked_as = record.metadata.booked_as
    return _entry(record, {} if booked_as is None else {"booked_as": booked_as})


def _entry(record: Any, metadata: Mapping[str, JSON]) -> Entry:
    delta, balance = record.delta, record.balance
    if (delta is None) != (balance is None):
        raise BadLine("it is not an entry: of delta and balance it has only one")
    try:
        return Entry(
            record.seq,
            _read_recorded(record.timestamp),
            record.event,
            record.reason,
            record.orchestrator_id,
            None if delta is None else read_eth(delta),
            None if balance is None else read_eth(balance),
            metadata,
            None if record.session is None else _subject(Session, record.session, _SESSION_WEI),
            None if record.power is None else _subject(PowerState, record.power, _POWER_WEI),
        )
    except ValueError as error:
        raise BadLine(f"it is not an entry ({type(error).__name__}: {error})") from error


def _row(subject: msgspec.Struct, wei: Sequence[int]) -> Sequence[Any]:
    row = list(msgspec.structs.astuple(subject))
    for place in wei:
        row[place] = str(row[place])
    return row


def _subject(kind: type[S], row: Sequence[Any], wei: Sequence[int]) -> S:
    values = list(row)
    for place in wei:
        values[place] = int(values[place])
    return kind(*values)
