"""An undelivered event, and a dead letter. Pure."""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import orjson

from payments.domain.times import format_time
from payments.errors import Rejected

_ROW_BYTES = 36
"""Size of a row in the spool, without its texts."""


class SessionLabels(NamedTuple):
    """Fields that all events of a session share; ``None``: unknown, and left out."""

    session_id: str
    edge_id: str
    upstream_addr: str | None
    upstream_port: int | None
    streamer_id: str | None


class SpooledEvent:
    """An event that the spool keeps.

    Attributes:
        labels: the fields that it shares with its session.
        kind: ``start``, ``heartbeat`` or ``end``.
        seq: its number within the session.
        occurred_ms: when it happened, milliseconds since the epoch.
        position: its number in the spool; 0: not written to disk yet.
        size_bytes: its size in the spool.
        is_pending: not yet delivered, dead or dropped.
        is_kept: pending, or the latest event of an open session.
        is_resent: it was a dead letter, so its session may have continued or ended since.
        in_flight: being sent now.
    """

    __slots__ = (
        "event_id", "in_flight", "is_kept", "is_pending", "is_resent", "kind", "labels", "occurred_ms", "position",
        "seq", "size_bytes",
    )  # fmt: skip

    def __init__(self, labels: SessionLabels, kind: str, seq: int, occurred_ms: int, event_id: str) -> None:
        self.labels = labels
        self.kind = kind
        self.seq = seq
        self.occurred_ms = occurred_ms
        self.event_id = event_id
        self.position = 0
        texts = (kind, event_id, labels.session_id, labels.edge_id, labels.upstream_addr, labels.streamer_id)
        self.size_bytes = _ROW_BYTES + sum(len(text.encode()) for text in texts if text)
        self.is_pending = True
        self.is_kept = True
        self.is_resent = False
        self.in_flight = False

    @property
    def session_id(self) -> str:
        return self.labels.session_id

    def followed_by(self, kind: str, event_id: str) -> "SpooledEvent":
        """The session's next event, at the same time."""
        return SpooledEvent(self.labels, kind, self.seq + 1, self.occurred_ms, event_id)

    def body(self) -> bytes:
        """The JSON that is sent to Payments."""
        fields = {name: value for name, value in self.labels._asdict().items() if value is not None}
        fields |= {"event": self.kind, "seq": self.seq, "event_id": self.event_id}
        return orjson.dumps({**fields, "occurred_at": format_time(self.occurred_ms)})


class DeadLetter(NamedTuple):
    """An event that Payments has rejected for good.

    Attributes:
        reason: why, in Payments' words.
        rejected_ms: when, milliseconds since the epoch.
        number: its number for ``ps-gateway spool resend``; 0: not written to disk yet.
    """

    event: SpooledEvent
    reason: str
    rejected_ms: int = 0
    number: int = 0


def select_letters(letters: Sequence[DeadLetter], numbers: Collection[int] | None) -> Sequence[DeadLetter]:
    """The letters with these ``numbers``; ``None``: all. Raises ``Rejected`` if a number does not exist."""
    if numbers is None:
        return letters
    if missing := set(numbers) - {letter.number for letter in letters}:
        raise Rejected("not-found", f"no dead letter has the number {', '.join(map(str, sorted(missing)[:10]))}")
    return [letter for letter in letters if letter.number in numbers]


def to_json_lines(letters: Sequence[DeadLetter], pending: Sequence[SpooledEvent]) -> Iterator[bytes]:
    """The contents of a spool as JSON lines."""
    for letter in letters:
        fields = {"number": letter.number, "rejected_at": format_time(letter.rejected_ms), "reason": letter.reason}
        event = orjson.Fragment(letter.event.body())
        yield orjson.dumps({"state": "dead_letter", **fields, "event": event}, option=orjson.OPT_APPEND_NEWLINE)
    for each in pending:
        yield b'{"state":"pending","event":%b}\n' % each.body()
