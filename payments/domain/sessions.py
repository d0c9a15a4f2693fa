"""``SessionEvent``, which an edge reports, and ``Session``, which the events fold into."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated

from msgspec import Struct, json
from msgspec.structs import replace

from payments.domain.units import Moment, Ordinal, Remainder, Unit, Wei, one_of

START, HEARTBEAT, END = "start", "heartbeat", "end"
EVENTS = (START, HEARTBEAT, END)

ACTIVE, ENDED, STALE = "active", "ended", "stale"
STATUSES = (ACTIVE, STALE, ENDED)

TIMEOUT = "timeout"

GAP, EXPIRED, UNATTRIBUTED, UNPRICED, ASLEEP = "gap", "expired", "unattributed", "unpriced", "asleep"
CAUSES = (GAP, EXPIRED, UNATTRIBUTED, UNPRICED, ASLEEP)


class SessionEvent(Struct, frozen=True, gc=False):
    """One event as an edge reported it, validated (rule 3.2).

    Attributes:
        session_id: 1 to 128 printable characters.
        event: ``start``, ``heartbeat`` or ``end``.
        received_at_ms: when Payments received it.
        upstream_addr: the game host's IP as ``canonical_ip`` spells it; ``None``: unchanged.
        upstream_port: 1 to 65535; ``None``: unchanged.
        edge_id: which edge reports it; ``None``: unchanged.
        streamer_id: what the viewer watches; ``None``: unchanged.
        event_id: idempotency key, or ``None``.
        seq: the edge's count of this session's events, or ``None``.
        occurred_at_ms: when it happened by the edge's clock; ``None``: when it was received.
    """

    session_id: str
    event: str
    received_at_ms: int
    upstream_addr: str | None = None
    upstream_port: int | None = None
    edge_id: str | None = None
    streamer_id: str | None = None
    event_id: str | None = None
    seq: int | None = None
    occurred_at_ms: int | None = None

    @property
    def evidence_ms(self) -> int:
        """Up to this moment the event proves that the session ran: never later than its receipt (rule 4.1)."""
        if self.occurred_at_ms is None:
            return self.received_at_ms
        return min(self.occurred_at_ms, self.received_at_ms)

    def digest(self) -> str:
        """Hash of the content, without time of receipt and ``event_id``: equal for a retry and for nothing else."""
        content = replace(self, received_at_ms=0, event_id=None)
        return sha256(json.encode(content)).hexdigest()[:32]


class Session(Struct, frozen=True, gc=False):
    """One viewer connection.

    A ``Struct``, because a frozen dataclass takes 20 times as long to build (24 fields, twice per event) and is tracked
    by the garbage collector. JSON objects, journal lines and the API's description are derived from the fields; to add
    one, say in ``billing`` what it becomes.

    Attributes:
        incarnation: 1, and one more for each ``start`` after an end.
        opened_seq: the entry that opened this incarnation; grows from session to session.
        orchestrator_id: who earns from ``last_billed_at_ms`` on; ``None``: no orchestrator had the address then.
        upstream_addr: the game host's IP.
        status: ``active`` or ``ended``; an active session that is silent for too long is shown as ``stale``.
        last_seen_at_ms: receipt of the last event that counted.
        last_billed_at_ms: up to here every millisecond is in ``billed_ms`` or ``unbilled_ms``.
        end_reason: ``end`` (the edge reported it) or ``timeout`` (closed as stale); ``None`` while active.
        billed_wei: what the session earned.
        remainder: the fraction of a wei earned beyond that, in wei/60000.
        last_credited_wei: what the last billed event earned.
        unbilled_ms: milliseconds that earned nothing, by cause; a cause without any is left out.
        seq: the last ``seq`` of the edge, or ``None``.
        event_id: the last idempotency key of an event that counted, or ``None``.
        event_digest: hash of that event's content, or ``None``.
    """

    session_id: str
    incarnation: Ordinal
    opened_seq: Ordinal
    orchestrator_id: str | None
    upstream_addr: str
    upstream_port: Annotated[int, Unit({"maximum": 65535})] | None
    edge_id: str | None
    streamer_id: str | None
    status: Annotated[str, one_of(*STATUSES)]
    started_at_ms: Moment
    last_seen_at_ms: Moment
    last_event: Annotated[str, one_of(*EVENTS)]
    last_billed_at_ms: Moment
    ended_at_ms: Moment | None
    end_reason: Annotated[str, one_of(END, TIMEOUT)] | None
    billed_ms: int
    billed_wei: Wei
    remainder: Remainder
    last_credited_wei: Wei
    unbilled_ms: Mapping[Annotated[str, one_of(*CAUSES)], int]
    heartbeat_count: int
    seq: int | None
    event_id: str | None
    event_digest: str | None

    @property
    def elapsed_ms(self) -> int:
        """Begin to last billed moment. Always equals ``billed_ms`` plus the sum of ``unbilled_ms`` (rule 4.9)."""
        return self.last_billed_at_ms - self.started_at_ms

    def status_at(self, now_ms: int, idle_timeout_ms: int) -> str:
        """``stale`` for an active session silent for longer than ``idle_timeout_ms``, else its own status."""
        if self.status == ACTIVE and now_ms - self.last_seen_at_ms > idle_timeout_ms:
            return STALE
        return self.status
