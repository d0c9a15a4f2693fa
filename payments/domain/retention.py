"""Closes sessions whose end was lost, and purges sessions that ended long ago: rule 4.14."""

from itertools import islice
from typing import NamedTuple, TypeAlias

from msgspec.structs import replace

from payments.domain.accounts import session_metadata
from payments.domain.decisions import LATE, RECORDED, Decision, Outcome
from payments.domain.entries import SESSION, SESSION_FORGOTTEN, SESSION_REAPED, Entry
from payments.domain.overview import longest_silent, stale_sessions
from payments.domain.sessions import ACTIVE, ENDED, TIMEOUT
from payments.domain.state import State
from payments.errors import Rejected


class CloseStale(NamedTuple):
    """Close a session that has been silent for too long: its end was lost.

    Attributes:
        last_seen_at_ms: of the session when it was found silent; if it has spoken since, nothing is done.
    """

    session_id: str
    last_seen_at_ms: int


class PurgeEnded(NamedTuple):
    """Drop an ended session from the state; the journal keeps all of it. ``last_seen_at_ms`` as in ``CloseStale``."""

    session_id: str
    last_seen_at_ms: int


Retention: TypeAlias = CloseStale | PurgeEnded


def retention_due(state: State, now_ms: int, reap_ms: int, keep_ms: int, limit: int) -> list[Retention]:
    """At most ``limit`` of what is to be done at ``now_ms``, the longest silent sessions first.

    Args:
        state: one with an ``overview``.
        reap_ms: active sessions silent for longer are closed; 0: none.
        keep_ms: ended sessions without an event for longer are forgotten. It must be at least as long as an
            ``occurred_at`` may lie back and be credited, or an event that was kept back could bill a moment again.
    """
    assert state.overview is not None
    due: list[Retention] = []
    if reap_ms:
        silent = islice(stale_sessions(state.overview, state.sessions, now_ms, reap_ms), limit)
        due.extend(CloseStale(session.session_id, session.last_seen_at_ms) for session in silent)
    for session in longest_silent(state.overview.ended, state.sessions, now_ms):
        if len(due) >= limit or now_ms - session.last_seen_at_ms <= keep_ms:
            break
        # Billed beyond the last event: the clock has stepped back, and will show those moments again.
        if now_ms - session.last_billed_at_ms > keep_ms:
            due.append(PurgeEnded(session.session_id, session.last_seen_at_ms))
    return due


def decide_retention(command: Retention, state: State, now_ms: int) -> Decision:
    """Decide ``command`` against its session. ``now_ms`` dates the entry. Raises ``Rejected`` (``not-found``)."""
    session = state.sessions.get(command.session_id)
    if session is None:
        raise Rejected("not-found", f'no session "{command.session_id}" is known')
    wanted = ACTIVE if isinstance(command, CloseStale) else ENDED
    if (session.status, session.last_seen_at_ms) != (wanted, command.last_seen_at_ms):
        return Decision(Outcome(LATE, session), ())
    if isinstance(command, CloseStale):
        reason, event = SESSION_REAPED, "reap"
        after = replace(session, status=ENDED, ended_at_ms=session.last_billed_at_ms, end_reason=TIMEOUT)
    else:
        reason, event, after = SESSION_FORGOTTEN, "forget", session
    metadata = session_metadata(session, after, event)
    entry = Entry(state.seq + 1, now_ms, SESSION, reason, session.orchestrator_id, None, None, metadata, after)
    return Decision(Outcome(RECORDED, after), (entry,))
