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
    """Close a session that has been silent for too long, because its end was lost.

    Attributes:
        last_seen_at_ms: of the session when it was found stale; if an event came since, nothing is done.
    """

    session_id: str
    last_seen_at_ms: int


class PurgeEnded(NamedTuple):
    """Drop an ended session from the state; the journal keeps all of it. ``last_seen_at_ms`` as in ``CloseStale``."""

    session_id: str
    last_seen_at_ms: int


Retention: TypeAlias = CloseStale | PurgeEnded


def retention_due(state: State, now_ms: int, close_after_ms: int, purge_after_ms: int, limit: int) -> list[Retention]:
    """The retention commands due at ``now_ms``, at most ``limit``, for the longest silent sessions first.

    Args:
        state: must have an ``overview``.
        close_after_ms: active sessions silent for longer are closed; 0: none.
        purge_after_ms: ended sessions without an event for longer are purged. Must be at least
            ``Terms.max_event_age_ms``, or a delayed event could bill a moment again.
    """
    assert state.overview is not None
    due: list[Retention] = []
    if close_after_ms:
        silent = islice(stale_sessions(state.overview, state.sessions, now_ms, close_after_ms), limit)
        due.extend(CloseStale(session.session_id, session.last_seen_at_ms) for session in silent)
    for session in longest_silent(state.overview.ended, state.sessions, now_ms):
        if len(due) >= limit or now_ms - session.last_seen_at_ms <= purge_after_ms:
            break
        # Time billed beyond the last event means that the clock stepped back. Keep the session, or that time could be
        # billed twice.
        if now_ms - session.last_billed_at_ms > purge_after_ms:
            due.append(PurgeEnded(session.session_id, session.last_seen_at_ms))
    return due


def decide_retention(command: Retention, state: State, now_ms: int) -> Decision:
    """Decide ``command`` against its session. ``now_ms`` dates the entry.

    Raises ``Rejected`` (``not-found``) if the session is not known.
    """
    session = state.sessions.get(command.session_id)
    if session is None:
        raise Rejected("not-found", f'no session "{command.session_id}" is known')
    status = ACTIVE if isinstance(command, CloseStale) else ENDED
    if (session.status, session.last_seen_at_ms) != (status, command.last_seen_at_ms):
        return Decision(Outcome(LATE, session), ())
    if isinstance(command, CloseStale):
        reason, event = SESSION_REAPED, "reap"
        after = replace(session, status=ENDED, ended_at_ms=session.last_billed_at_ms, end_reason=TIMEOUT)
    else:
        reason, event, after = SESSION_FORGOTTEN, "forget", session
    metadata = session_metadata(session, after, event)
    entry = Entry(state.seq + 1, now_ms, SESSION, reason, session.orchestrator_id, None, None, metadata, after)
    return Decision(Outcome(RECORDED, after), (entry,))
