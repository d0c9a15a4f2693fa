"""An event on its way to Payments, and the line of the spool that it is. Pure.

A line is a JSON object: ``{"position":12,"event":{…},"crc":"89abcdef"}``. ``event`` is to the byte what Payments gets;
``position`` numbers the lines of a spool, growing, with holes where lines were taken out; ``crc`` is the CRC-32 of all
before ``,"crc"``, eight hexadecimal digits in lower case. So any line can be checked by itself.
"""

from typing import Any, NamedTuple
from zlib import crc32

import orjson

from payments.domain.sessions import EVENTS
from payments.domain.times import format_time, parse_time

_CRC_LENGTH = len(',"crc":"00000000"}\n')


class BadLine(ValueError):
    """The line is not what this format says; the message says in what."""


class Said(NamedTuple):
    """What a session says of itself in each of its events, as far as it is known; ``None``: not said."""

    session_id: str
    edge_id: str
    upstream_addr: str | None
    upstream_port: int | None
    streamer_id: str | None


class Spooled:
    """An event on its way.

    Attributes:
        session_id: whose; ``kind``: ``start``, ``heartbeat`` or ``end``; ``seq``: its number within the session.
        occurred_ms: when it happened, milliseconds since the epoch.
        body: the JSON that Payments gets; empty once it is not needed any more.
        position: its number in the spool; 0: it is not on disk.
        size_bytes: what its line takes up.
        is_pending: neither delivered nor refused nor thinned.
        is_kept: pending, or else the last that is known of a session that is open.
        in_flight: being sent right now.
    """

    __slots__ = (
        "body", "in_flight", "is_kept", "is_pending", "kind", "occurred_ms", "position", "seq", "session_id",
        "size_bytes",
    )  # fmt: skip

    def __init__(self, session_id: str, kind: str, seq: int, occurred_ms: int, body: bytes) -> None:
        self.session_id = session_id
        self.kind = kind
        self.seq = seq
        self.occurred_ms = occurred_ms
        self.body = body
        self.position = 0
        self.size_bytes = len(body) + 64
        self.is_pending = True
        self.is_kept = True
        self.in_flight = False


def spooled(said: Said, kind: str, seq: int, occurred_ms: int, event_id: str) -> Spooled:
    """The event ``kind`` of the session that says ``said``."""
    event = {
        **{name: value for name, value in said._asdict().items() if value is not None},
        "event": kind,
        "seq": seq,
        "event_id": event_id,
        "occurred_at": format_time(occurred_ms),
    }
    return Spooled(said.session_id, kind, seq, occurred_ms, orjson.dumps(event))


def following(last: Spooled, kind: str, event_id: str) -> Spooled:
    """The event ``kind`` right after ``last``, at the same moment, with all that ``last`` says."""
    event = orjson.loads(last.body)
    event.update(event=kind, seq=last.seq + 1, event_id=event_id)
    return Spooled(last.session_id, kind, last.seq + 1, last.occurred_ms, orjson.dumps(event))


def line(event: Spooled) -> bytes:
    """The line of ``event``, whose position is known."""
    return checked(b'{"position":%d,"event":%b' % (event.position, event.body))


def checked(content: bytes) -> bytes:
    """``content``, a JSON object without its last brace, as a line with a checksum."""
    return b'%b,"crc":"%08x"}\n' % (content, crc32(content))


def content_of(line: bytes) -> dict[str, Any]:
    """The object that ``checked`` has made ``line`` of, and the checksum. Raises ``BadLine``."""
    # The bytes are compared: a checksum read as a number would pass in the other letter case.
    if not line.endswith(b',"crc":"%08x"}\n' % crc32(line[:-_CRC_LENGTH])):
        raise BadLine("it breaks off" if not line.endswith(b"\n") else "its checksum does not fit its content")
    try:
        content = orjson.loads(line)
    except ValueError:
        raise BadLine("it is not JSON") from None
    if not isinstance(content, dict):
        raise BadLine("it is not an object")
    return content


def read(line: bytes) -> Spooled:
    """The event in ``line``. Raises ``BadLine``."""
    content = content_of(line)
    try:
        position, event = content["position"], content["event"]
        session_id, kind, seq = event["session_id"], event["event"], event["seq"]
        occurred_ms = parse_time(event["occurred_at"])
    except (KeyError, TypeError, ValueError):
        raise BadLine("it is not an event") from None
    whole = type(position) is int and position > 0 and type(seq) is int and type(session_id) is str
    if not whole or kind not in EVENTS:
        raise BadLine("it is not an event")
    body = line[line.index(b',"event":') + len(b',"event":') : -_CRC_LENGTH]
    found = Spooled(session_id, kind, seq, occurred_ms, body)
    found.position = position
    return found
