"""What the lines of the journal say, read and checked by the chunk, for whoever goes through all of it.

What one call does here for a chunk takes twice the time if every line has calls of its own. In return a chunk that is
not sound is only refused: for the line at fault, ask for less of it.
"""

import re
from collections.abc import Sequence

import msgspec

from payments.domain.entries import EventName, ReasonName
from payments.domain.money import ETH
from payments.domain.times import format_time, read_time
from payments.store.file.codec import VERSION, have_valid_checksums, line_hash

AMOUNT = re.compile(f"-?+{ETH}")
"""What an amount is. ``Decimal`` takes more than that: blanks, underscores, exponents, NaN, digits of other scripts."""

_AMOUNTS = re.compile(f"(?:{AMOUNT.pattern},)*+")


class _SubjectId(msgspec.Struct, array_like=True, gc=False):
    """Of a session or a power state, the name. To read all of it takes a seventh of the whole time.

    What a projection shows is read from the last line about it; those before it decide nothing.
    """

    id: str


class _Metadata(msgspec.Struct, gc=False):
    """Of the metadata, what is compared."""

    interval_start: str | None = None
    interval_end: str | None = None
    booked_as: str | None = None


class VerifiedLine(msgspec.Struct, gc=False):
    """Of a line, what is compared; the rest is passed over, which takes a third of the time of reading it."""

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
    """What each of ``lines`` says, and the hash of the last; ``seq`` and ``prev`` are those of the one before.

    Raises ``ValueError`` where one is not as it was written, is none of this version, or is not the next one, and where
    what changes a balance is no amount.
    """
    if not have_valid_checksums(lines):
        raise ValueError("a checksum does not fit")
    said = _DECODER.decode_lines(b"".join(lines))
    hashes = list(map(line_hash, lines))
    if [each.prev for each in said] != [prev, *hashes[:-1]]:
        raise ValueError("the chain does not hold")
    if [each.seq for each in said] != list(range(seq + 1, seq + 1 + len(lines))):
        raise ValueError("they are not in their order")
    if {each.v for each in said} != {VERSION}:
        raise ValueError("another format version")
    # The entries of a group have one.
    for recorded in {each.timestamp for each in said}:
        if format_time(read_time(recorded)) != recorded:
            raise ValueError(f'its timestamp "{recorded}" is not spelled as one')
    _check_deltas(said)
    return said, hashes[-1]


def _check_deltas(said: Sequence[VerifiedLine]) -> None:
    """That each is written as an amount is."""
    deltas = [each.delta for each in said if each.delta is not None]
    listed = ",".join([*deltas, ""])
    if not _AMOUNTS.fullmatch(listed) or listed.count(",") != len(deltas):
        raise ValueError("what it changes the balance by is no amount: digits, and at most 18 decimals")
