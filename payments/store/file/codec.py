"""Entry <-> line, checksum and chain. Pure; the format is specified in the package's docstring."""

from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any, NamedTuple, TypeAlias

import orjson
from isal.isal_zlib import crc32

from payments.domain.entries import Entry
from payments.domain.readings import PowerState
from payments.domain.records import entry_record, read_entry
from payments.domain.sessions import Session

VERSION = 1
FIRST_HASH = "0" * 64

# As the encoder writes them. Quotation marks within a string are escaped, so neither can be a part of one.
SESSION_MARK, POWER_MARK = b',"session":{"session_id":', b',"power":{"orchestrator_id":'

_AFTER_SESSION_ID, _AFTER_POWER_ID = b',"incarnation":', b',"state":'

_CRC_LENGTH = len(',"crc":"00000000"}\n')


class BadLine(ValueError):
    """The line is not what this format says; the message says in what."""


class UnknownVersion(Exception):
    """The line is whole, but of a format version that this code does not know."""


class Position(NamedTuple):
    """A place between two lines of the journal.

    Attributes:
        seq: of the line before it, 0 at the beginning; ``hash`` is that line's.
        offset: bytes from the beginning of the segment up to here.
        segment: the ``seq`` of the first line of the segment.
    """

    seq: int = 0
    offset: int = 0
    hash: str = FIRST_HASH
    segment: int = 1

    def behind(self, line: bytes) -> "Position":
        """The place behind ``line``, which stands here."""
        return Position(self.seq + 1, self.offset + len(line), line_hash(line), self.segment)


Decode: TypeAlias = Callable[[bytes, Position], tuple[Entry | None, Position, int]]
"""How the line at a position is read: its entry, if it is wanted now, the position behind it, and its ``durable``."""


def encode(entry: Entry, durable_seq: int, prev: str) -> bytes:
    """The line of ``entry`` behind the line whose hash is ``prev``."""
    record = entry_record(entry)
    if entry.session is not None:
        record["session"] = _pack(entry.session)
    if entry.power is not None:
        record["power"] = _pack(entry.power)
    record["v"] = VERSION
    record["durable"] = durable_seq
    record["prev"] = prev
    body = orjson.dumps(record)[:-1]
    return b'%b,"crc":"%08x"}\n' % (body, crc32(body))


def line_hash(line: bytes) -> str:
    """What the line after ``line`` has as ``prev``."""
    return sha256(line).hexdigest()


def is_whole(line: bytes) -> bool:
    """Whether ``line`` is, to the byte, one that was written; says nothing of its place."""
    # The bytes are compared: a checksum read as a number would pass in the other letter case.
    return line.endswith(b',"crc":"%08x"}\n' % crc32(line[:-_CRC_LENGTH]))


def subject_at(line: bytes, begin: int = 0) -> int:
    """Where in ``line``, behind ``begin``, the session or power state begins that its entry is about; -1: nowhere."""
    at = line.find(SESSION_MARK, begin)
    return at if at >= 0 else line.find(POWER_MARK, begin)


def subject_of(line: bytes, at: int) -> bytes:
    """Which session or power state begins at ``at`` in ``line``: what it begins with, up to the end of its id."""
    end = line.find(_AFTER_SESSION_ID, at)
    return line[at : end if end >= 0 else line.find(_AFTER_POWER_ID, at)]


def named_subject(mark: bytes, name: str) -> bytes:
    """What ``subject_of`` says of the session, or of the orchestrator's power state, ``name``."""
    return mark + orjson.dumps(name)


def subject_name(subject: bytes) -> str:
    """The id in what ``subject_of`` says."""
    return str(orjson.loads(subject[subject.index(b":", subject.index(b":") + 1) + 1 :]))


def parse(line: bytes) -> dict[str, Any]:
    """The object in ``line``, whole and of a version that this code knows. Raises ``BadLine``, ``UnknownVersion``."""
    if not is_whole(line):
        raise BadLine("its checksum does not fit its content")
    try:
        record = orjson.loads(line)
        version = record["v"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadLine("it is not a journal line") from error
    if version != VERSION:
        raise UnknownVersion(f"format version {version} is not known here; a newer Payments wrote it: upgrade first")
    assert isinstance(record, dict)
    return record


def decode(line: bytes) -> tuple[Entry, int]:
    """The entry in ``line``, wherever that stands, and its ``durable``. Raises ``BadLine``, ``UnknownVersion``."""
    return _read(parse(line))


def _read(record: dict[str, Any]) -> tuple[Entry, int]:
    try:
        session, power = record.get("session"), record.get("power")
        return read_entry(
            record,
            # By position: by name takes ten times as long.
            None if session is None else Session._make(_unpack(session, Session._fields)),
            None if power is None else PowerState._make(_unpack(power, PowerState._fields)),
        ), record["durable"]
    except (KeyError, TypeError, ValueError) as error:
        raise BadLine(f"it is not an entry ({type(error).__name__}: {error})") from error


def _pack(subject: Session | PowerState) -> dict[str, Any]:
    record = dict(zip(subject._fields, subject, strict=True))
    # As a JSON number, more than 18 ETH would not fit 64 bits, and most readers would make a float of far less.
    record["billed_wei"] = str(subject.billed_wei)
    record["last_credited_wei"] = str(subject.last_credited_wei)
    return record


def _unpack(record: dict[str, Any], fields: tuple[str, ...]) -> Iterable[Any]:
    if tuple(record) != fields:
        raise ValueError(f"{', '.join(record)} where there must be {', '.join(fields)}, in this order")
    record["billed_wei"] = int(record["billed_wei"])
    record["last_credited_wei"] = int(record["last_credited_wei"])
    return record.values()


def decode_next(line: bytes, position: Position) -> tuple[Entry, Position, int]:
    """The entry in the line at ``position``, the position behind it, and the line's ``durable``.

    Raises ``BadLine``, ``UnknownVersion``.
    """
    record = parse(line)
    if record.get("prev") != position.hash:
        raise BadLine("it does not continue the chain: the line before it is not the one that it was written after")
    entry, durable_seq = _read(record)
    if entry.seq != position.seq + 1:
        raise BadLine(f"it has seq {entry.seq} where {position.seq + 1} must stand")
    return entry, position.behind(line), durable_seq
