"""An event on its way to Payments, and one that Payments has refused. Pure."""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import orjson

from payments.domain.times import format_time
from payments.errors import Rejected

_ROW_BYTES = 36
"""What a row of the spool takes up beside its texts."""


class SessionLabels(NamedTuple):
    """What a session says of itself in each of its events, as far as it is known; ``None``: not said."""

    session_id: str
    edge_id: str
    upstream_addr: str | None
    upstream_port: int | None
    streamer_id: str | None


class Spooled:
    """An event on its way.

    Attributes:
        said: what its session says of itself.
        kind: ``start``, ``heartbeat`` or ``end``; ``seq``: its number within the session.
        occurred_ms: when it happened, milliseconds since the epoch.
        position: its number in the spool; 0: it was never written there.
        size_bytes: what it takes up there.
        is_pending: neither delivered nor refused nor dropped.
        is_kept: pending, or else the last that is known of a session that is open.
        is_resent: it was a dead letter. Its session may have gone on since, or have ended.
        in_flight: being sent right now.
    """

    __slots__ = (
        "event_id", "in_flight", "is_kept", "is_pending", "is_resent", "kind", "occurred_ms", "position", "said", "seq",
        "size_bytes",
    )  # fmt: skip

    def __init__(self, said: SessionLabels, kind: str, seq: int, occurred_ms: int, event_id: str) -> None:
        self.said = said
        self.kind = kind
        self.seq = seq
        self.occurred_ms = occurred_ms
        self.event_id = event_id
        self.position = 0
        texts = (kind, event_id, said.session_id, said.edge_id, said.upstream_addr, said.streamer_id)
        self.size_bytes = _ROW_BYTES + sum(len(text.encode()) for text in texts if text)
        self.is_pending = True
        self.is_kept = True
        self.is_resent = False
        self.in_flight = False

    @property
    def session_id(self) -> str:
        return self.said.session_id

    def followed_by(self, kind: str, event_id: str) -> "Spooled":
        """The event ``kind`` of its session right after it, at the same moment."""
        return Spooled(self.said, kind, self.seq + 1, self.occurred_ms, event_id)

    def body(self) -> bytes:
        """The JSON that Payments gets."""
        said = {name: value for name, value in self.said._asdict().items() if value is not None}
        said |= {"event": self.kind, "seq": self.seq, "event_id": self.event_id}
        return orjson.dumps({**said, "occurred_at": format_time(self.occurred_ms)})


class DeadLetter(NamedTuple):
    """An event that Payments has refused for good.

    Attributes:
        reason: why.
        rejected_ms: when that was written down, milliseconds since the epoch.
        number: by which it is called; 0: not written yet.
    """

    event: Spooled
    reason: str
    rejected_ms: int = 0
    number: int = 0


def chosen(letters: Sequence[DeadLetter], numbers: Collection[int] | None) -> Sequence[DeadLetter]:
    """Those of these ``numbers``, or all. Raises ``Rejected`` where one of the numbers is not there."""
    if numbers is None:
        return letters
    if missing := set(numbers) - {letter.number for letter in letters}:
        raise Rejected("not-found", f"no dead letter has the number {', '.join(map(str, sorted(missing)[:10]))}")
    return [letter for letter in letters if letter.number in numbers]


def to_lines(letters: Sequence[DeadLetter], pending: Sequence[Spooled]) -> Iterator[bytes]:
    """What is in a spool, as lines of JSON."""
    for letter in letters:
        said = {"number": letter.number, "rejected_at": format_time(letter.rejected_ms), "reason": letter.reason}
        event = orjson.Fragment(letter.event.body())
        yield orjson.dumps({"state": "dead_letter", **said, "event": event}, option=orjson.OPT_APPEND_NEWLINE)
    for each in pending:
        yield b'{"state":"pending","event":%b}\n' % each.body()
