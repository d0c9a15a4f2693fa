"""One orchestrator's record: what may be in it, the same in ``registry.json`` and over HTTP."""

import re
from typing import Annotated, NamedTuple

from marshmallow import RAISE, Schema, validate

from payments.domain.addresses import canonical_ip
from payments.domain.entries import JSON
from payments.domain.records import record_writer
from payments.domain.units import Moment, Unit
from payments.endpoints import read_http_url
from payments.fields import IP_ADDRESS, PRINTABLE, Canonical, Flag, about

_ADDRESS = "0x[0-9a-fA-F]{40}"
_ID = "[A-Za-z0-9._:@+-]{1,128}"


class Record(NamedTuple):
    """Who runs a game host.

    Attributes:
        orchestrator_id: the id in the registry.
        address: where payouts go: an Ethereum address in EIP-55 spelling, or ``None`` while it is not known.
        host_public_ip: of the game host; sessions with this ``upstream_addr`` are this orchestrator's. ``None``: none
            are.
        power_url: where ``/power`` is asked, if not at ``host_public_ip``.
        enabled: a disabled orchestrator is not asked for its power, and no session is attributed to it.
    """

    orchestrator_id: str
    address: Annotated[str, Unit({"pattern": f"^{_ADDRESS}$"})] | None
    host_public_ip: str | None
    host_name: str | None
    power_url: str | None
    enabled: bool
    registered_at_ms: Moment
    updated_at_ms: Moment

    def as_json(self) -> dict[str, JSON]:
        """The record with its times in RFC 3339."""
        return _as_json(self)


_as_json = record_writer(Record)


def checksum_address(text: str) -> str:
    """The EIP-55 spelling of an Ethereum address; ``ValueError`` for anything else or a wrong checksum.

    All lower or all upper case carries no checksum and is accepted (https://eips.ethereum.org/EIPS/eip-55).
    """
    if not re.fullmatch(_ADDRESS, text):
        raise ValueError(f'"{text}" is not an Ethereum address: 0x and 40 hex digits')
    # Imported here because importing it takes a tenth of a start, and runs a program that inspects Python.
    from Crypto.Hash import keccak  # noqa: PLC0415

    digits = text[2:]
    digest = keccak.new(digest_bits=256, data=digits.lower().encode()).hexdigest()
    spelled = "".join(
        digit.upper() if int(nibble, 16) >= 8 else digit for digit, nibble in zip(digits.lower(), digest, strict=False)
    )
    if digits not in (spelled, digits.lower(), digits.upper()):
        raise ValueError(f'"{text}" fails its EIP-55 checksum (0x{spelled} would pass): mistyped?')
    return f"0x{spelled}"


def _id(text: str) -> str:
    if not re.fullmatch(_ID, text) or text in (".", ".."):
        raise ValueError(f'"{text[:140]}" is not an id of 1 to 128 letters, digits or . _ : @ + -')
    return text


def _host_name(text: str) -> str:
    if not (0 < len(text) <= 253 and text.isprintable()):
        raise ValueError("must be 1 to 253 printable characters")
    return text


class RecordSchema(Schema):
    """The fields of a record that an operator may set. Unknown fields are refused: they are probably mistyped."""

    class Meta:
        unknown = RAISE

    orchestrator_id = Canonical(
        _id, {"pattern": rf"^(?!\.{{1,2}}$){_ID}$"}, required=True, metadata=about("The id; cannot be changed.")
    )
    address = Canonical(
        checksum_address, {"pattern": f"^{_ADDRESS}$"}, allow_none=True, metadata=about("Where payouts go; EIP-55.")
    )
    host_public_ip = Canonical(
        canonical_ip, IP_ADDRESS, allow_none=True, metadata=about("Of the game host, which has one orchestrator only.")
    )
    host_name = Canonical(
        _host_name,
        {"minLength": 1, "maxLength": 253, "pattern": PRINTABLE},
        allow_none=True,
        metadata=about("A name for people to read."),
    )
    power_url = Canonical(
        read_http_url,
        {"format": "uri", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://[^ @]+$"},
        allow_none=True,
        validate=validate.Length(max=2000),
        metadata=about("Where its power is asked, if not at `host_public_ip`."),
    )
    enabled = Flag(metadata=about("Whether it takes part; true by default."))
