"""Parses and checks journal lines a chunk at a time, for ``verify``, which reads all of them.

Checking line by line would take twice as long. The price: an error does not say which line of the chunk is bad; to find
it, pass the lines one by one.
"""

import re
from collections.abc import Sequence

import msgspec

from payments.domain.entries import EventName, ReasonName
from payments.domain.money import ETH
from payments.domain.times import format_time, read_time
from payments.store.file.codec import VERSION, have_valid_checksums, line_hash

AMOUNT = re.compile(f"-?+{ETH}")
"""A valid amount. ``Decimal`` accepts more: blanks, underscores, exponents, NaN, digits of other scripts."""

_AMOUNTS = re.compile(f"(?:{AMOUNT.pattern},)*+")


class _SubjectId(msgspec.Struct, array_like=True, gc=False):
    """The id of a session or power state.

    Parsing the rest would take a seventh of the whole time. It is needed only of the last line about each, which is
    decoded separately to be compared with the projection.
    """

    id: str


class _Metadata(msgspec.Struct, gc=False):
    """The part of the metadata that is checked."""

    interval_start: str | None = None
    interval_end: str | None = None
    booked_as: str | None = None


class VerifiedLine(msgspec.Struct, gc=False):
    """The part of a line that is checked. Skipping the rest takes a third of the time of parsing it."""

    seq: int
    timestamp: str
    event: EventName
    reason: ReasonName
    orchestrator_id: str | None
    metadata: _Metadata
    v: int
    durable: int
    prev: str
    amount: str | None = None
    delta: str | None = None
    balance: str | None = None
    session: _SubjectId | None = None
    power: _SubjectId | None = None


_DECODER = msgspec.json.Decoder(VerifiedLine)


def read_chunk(lines: Sequence[bytes], seq: int, prev: str) -> tuple[list[VerifiedLine], str]:
    """Each of ``lines`` parsed, and the hash of the last; ``seq`` and ``prev`` are those of the line before them.

    Raises ``ValueError`` if a line fails its checksum, breaks the chain or the order, or has another format version, a
    bad timestamp or a bad amount.
    """
    if not have_valid_checksums(lines):
        raise ValueError("a checksum does not fit")
    parsed = _DECODER.decode_lines(b"".join(lines))
    hashes = list(map(line_hash, lines))
    if [each.prev for each in parsed] != [prev, *hashes[:-1]]:
        raise ValueError("the chain does not hold")
    if [each.seq for each in parsed] != list(range(seq + 1, seq + 1 + len(lines))):
        raise ValueError("they are not in their order")
    if {each.v for each in parsed} != {VERSION}:
        raise ValueError("another format version")
    # All entries of a group have the same timestamp.
    for recorded in {each.timestamp for each in parsed}:
        if format_time(read_time(recorded)) != recorded:
            raise ValueError(f'its timestamp "{recorded}" is not spelled as one')
    _check_deltas(parsed)
    return parsed, hashes[-1]


def _check_deltas(parsed: Sequence[VerifiedLine]) -> None:
    """Raises ``ValueError`` unless every ``delta`` is a valid amount."""
    deltas = [each.delta for each in parsed if each.delta is not None]
    listed = ",".join([*deltas, ""])
    if not _AMOUNTS.fullmatch(listed) or listed.count(",") != len(deltas):
        raise ValueError("what it changes the balance by is no amount: digits, and at most 18 decimals")
