"""Decides what an edge's event becomes: rules 4.1 to 4.11."""

from functools import lru_cache
from typing import TypeVar

from msgspec.structs import replace

from payments.domain.accounts import add_by_cause, session_metadata
from payments.domain.decisions import DUPLICATE, LATE, RECORDED, Decision, Outcome, Terms
from payments.domain.entries import (
    CREDIT,
    SESSION,
    SESSION_CLOSED,
    SESSION_OPENED,
    SESSION_SEEN,
    SESSION_TIME,
    Entry,
)
from payments.domain.money import accrue, format_eth
from payments.domain.sessions import (
    ACTIVE,
    ASLEEP,
    END,
    ENDED,
    EXPIRED,
    GAP,
    HEARTBEAT,
    START,
    TIMEOUT,
    UNATTRIBUTED,
    UNPRICED,
    Session,
    SessionEvent,
)
from payments.domain.state import State
from payments.errors import Rejected

V = TypeVar("V")


def decide_event(event: SessionEvent, state: State, terms: Terms, now_ms: int) -> Decision:
    """Decide ``event`` against its own session and the balance of that session's orchestrator.

    ``now_ms`` dates the entries. Raises ``Rejected`` (``invalid``: an unknown session without an address;
    ``conflict``: a used ``event_id`` with other content).
    """
    session = state.sessions.get(event.session_id)
    if session is not None:
        kind = _no_op_kind(event, session)
        if kind is not None:
            return Decision(Outcome(kind, session), ())
    if session is None or (session.status == ENDED and event.event == START):
        entry = _open(event, session, state, terms, now_ms)
    else:
        entry = _bill(event, session, state, terms, now_ms)
    assert entry.session is not None
    return Decision(Outcome(RECORDED, entry.session), (entry,))


def _no_op_kind(event: SessionEvent, session: Session) -> str | None:
    """The outcome's kind if the event changes nothing, else ``None`` (rules 4.6, 4.7 and 4.10)."""
    if event.event_id is not None and event.event_id == session.event_id:
        if event.digest() == session.event_digest:
            return DUPLICATE
        complaint = f'"{event.event_id}" was used by this session\'s last event, with other content'
        raise Rejected("conflict", f"event_id {complaint}", {"event_id": [complaint]})
    closed = session.status == ENDED and session.end_reason != TIMEOUT
    if closed and event.event == END:
        return DUPLICATE
    if event.seq is not None and session.seq is not None and event.seq <= session.seq:
        return LATE
    if closed and event.event == HEARTBEAT:
        return LATE
    return None


def _open(event: SessionEvent, previous: Session | None, state: State, terms: Terms, now_ms: int) -> Entry:
    """Begin a session, or its next incarnation (rules 4.5 to 4.7).

    It begins no earlier than the end of the previous one, so no moment is billed by both. An unknown session may have
    been purged: it begins no earlier than the retention time before the event's receipt (rule 4.14).
    """
    upstream_addr = event.upstream_addr or (previous.upstream_addr if previous else None)
    if upstream_addr is None:
        complaint = f'required: session "{event.session_id}" is not known'
        raise Rejected("invalid", f"upstream_addr is {complaint}", {"upstream_addr": [complaint]})
    earliest_ms = previous.last_billed_at_ms if previous else event.received_at_ms - terms.keep_ms
    begun_ms = max(event.evidence_ms, earliest_ms)
    ended = event.event == END
    session = Session(
        session_id=event.session_id,
        incarnation=previous.incarnation + 1 if previous else 1,
        opened_seq=state.seq + 1,
        orchestrator_id=terms.attribution.get(upstream_addr),
        upstream_addr=upstream_addr,
        upstream_port=_new_or_known(event.upstream_port, previous.upstream_port if previous else None),
        edge_id=_new_or_known(event.edge_id, previous.edge_id if previous else None),
        streamer_id=_new_or_known(event.streamer_id, previous.streamer_id if previous else None),
        status=ENDED if ended else ACTIVE,
        started_at_ms=begun_ms,
        last_seen_at_ms=event.received_at_ms,
        last_event=event.event,
        last_billed_at_ms=begun_ms,
        ended_at_ms=begun_ms if ended else None,
        end_reason=END if ended else None,
        billed_ms=0,
        billed_wei=0,
        remainder=0,
        last_credited_wei=0,
        unbilled_ms={},
        heartbeat_count=int(event.event == HEARTBEAT),
        seq=_new_or_known(event.seq, previous.seq if previous else None),
        event_id=_new_or_known(event.event_id, previous.event_id if previous else None),
        event_digest=event.digest() if event.event_id is not None else previous.event_digest if previous else None,
    )
    metadata = session_metadata(session, session, event.event)
    return Entry(state.seq + 1, now_ms, SESSION, SESSION_OPENED, session.orchestrator_id, None, None, metadata, session)


def _bill(event: SessionEvent, session: Session, state: State, terms: Terms, now_ms: int) -> Entry:
    """Account for the time since the last billed event, then apply the event's fields (rules 4.1 to 4.4)."""
    ended = event.event == END
    length_ms = max(0, event.evidence_ms - session.last_billed_at_ms)
    until_ms = session.last_billed_at_ms + length_ms
    unbilled_ms = _unbilled_by_cause(event, session, state, terms, length_ms)
    billed_ms = length_ms - sum(unbilled_ms.values()) if unbilled_ms else length_ms
    credit_wei, remainder = accrue(terms.rate_wei_per_minute, billed_ms, session.remainder)
    upstream_addr = event.upstream_addr or session.upstream_addr
    after = replace(
        session,
        orchestrator_id=terms.attribution.get(upstream_addr),
        upstream_addr=upstream_addr,
        upstream_port=_new_or_known(event.upstream_port, session.upstream_port),
        edge_id=_new_or_known(event.edge_id, session.edge_id),
        streamer_id=_new_or_known(event.streamer_id, session.streamer_id),
        status=ENDED if ended else ACTIVE,
        last_seen_at_ms=event.received_at_ms,
        last_event=event.event,
        last_billed_at_ms=until_ms,
        ended_at_ms=until_ms if ended else None,
        end_reason=END if ended else None,
        billed_ms=session.billed_ms + billed_ms,
        billed_wei=session.billed_wei + credit_wei,
        remainder=remainder,
        last_credited_wei=credit_wei if billed_ms else session.last_credited_wei,
        unbilled_ms=add_by_cause(session.unbilled_ms, unbilled_ms),
        heartbeat_count=session.heartbeat_count + (event.event == HEARTBEAT),
        seq=_new_or_known(event.seq, session.seq),
        event_id=_new_or_known(event.event_id, session.event_id),
        event_digest=session.event_digest if event.event_id is None else event.digest(),
    )
    metadata = session_metadata(session, after, event.event, billed_ms, unbilled_ms)
    earner = session.orchestrator_id
    if not billed_ms or earner is None:
        reason = SESSION_CLOSED if ended else SESSION_SEEN
        return Entry(state.seq + 1, now_ms, SESSION, reason, earner, None, None, metadata, after)
    metadata["rate_eth_per_minute"] = _rate_text(terms.rate_wei_per_minute)
    metadata["credit_unit"] = terms.credit_unit
    balance_wei = state.balance_wei(earner) + credit_wei
    return Entry(state.seq + 1, now_ms, CREDIT, SESSION_TIME, earner, credit_wei, balance_wei, metadata, after)


def _unbilled_by_cause(
    event: SessionEvent, session: Session, state: State, terms: Terms, length_ms: int
) -> dict[str, int]:
    """How much of the interval earns nothing, by cause: the first that applies (rules 4.3, 4.8 and 4.11).

    The age limit applies to both ends of the interval. Its beginning is the previous event's ``occurred_at``, so that
    is compared with ``last_seen_at_ms``, when the previous event was received.
    """
    if not length_ms:
        return {}
    if terms.max_gap_ms and length_ms > terms.max_gap_ms:
        return {GAP: length_ms}
    if event.evidence_ms < event.received_at_ms - terms.max_event_age_ms:
        return {EXPIRED: length_ms}
    believed_from_ms = session.last_seen_at_ms - terms.max_event_age_ms
    expired_ms = min(length_ms, max(0, believed_from_ms - session.last_billed_at_ms))
    unbilled_ms = {EXPIRED: expired_ms} if expired_ms else {}
    rest_ms = length_ms - expired_ms
    if rest_ms and session.orchestrator_id is None:
        unbilled_ms[UNATTRIBUTED] = rest_ms
    elif rest_ms and not terms.rate_wei_per_minute:
        unbilled_ms[UNPRICED] = rest_ms
    elif rest_ms and terms.require_awake and (asleep_ms := _asleep_ms(session, state, expired_ms, rest_ms)):
        unbilled_ms[ASLEEP] = asleep_ms
    return unbilled_ms


def _asleep_ms(session: Session, state: State, after_ms: int, length_ms: int) -> int:
    """How many ms no awake reading covers, of the ``length_ms`` from ``after_ms`` into the interval (rule 6.6)."""
    assert session.orchestrator_id is not None
    power = state.power.get(session.orchestrator_id)
    begin_ms = session.last_billed_at_ms + after_ms
    return length_ms - (power.awake_ms(begin_ms, begin_ms + length_ms) if power else 0)


@lru_cache(maxsize=64)
def _rate_text(rate_wei_per_minute: int) -> str:
    return format_eth(rate_wei_per_minute)


def _new_or_known(new: V | None, known: V | None) -> V | None:
    """The event's value, or the known one if the event has none."""
    return known if new is None else new
