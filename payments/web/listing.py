"""Pages of sessions, newest first."""

from collections.abc import Mapping
from typing import Any

from payments.domain.entries import JSON
from payments.domain.records import session_record
from payments.domain.sessions import ENDED, Session
from payments.domain.state import State


def list_sessions(state: State, query: Mapping[str, Any], now_ms: int, idle_timeout_ms: int) -> dict[str, Any]:
    """The page that ``query`` (a loaded ``SessionsQuery``) asks for, with the cursor of the next one."""
    before, limit = query.get("cursor"), query["limit"]
    found: list[Session] = []
    more = False
    # The dictionary is in the order of opening, and its values can be copied in one step that no writer interrupts.
    for session in reversed(list(state.sessions.values())):
        if before is not None and session.opened_seq >= before:
            continue
        if not _matches(session, query, now_ms, idle_timeout_ms):
            continue
        if len(found) == limit:
            more = True
            break
        found.append(session)
    return {
        "sessions": [shown(session, now_ms, idle_timeout_ms) for session in found],
        "next_cursor": str(found[-1].opened_seq) if more else None,
    }


def shown(session: Session, now_ms: int, idle_timeout_ms: int) -> dict[str, JSON]:
    """The session record as it looks at ``now_ms``, when it may have gone stale."""
    return {**session_record(session), "status": session.status_at(now_ms, idle_timeout_ms)}


def _matches(session: Session, query: Mapping[str, Any], now_ms: int, idle_timeout_ms: int) -> bool:
    if query["active_only"] and session.status == ENDED:
        return False
    return (
        query.get("orchestrator_id") in (None, session.orchestrator_id)
        and query.get("edge_id") in (None, session.edge_id)
        and query.get("status") in (None, session.status_at(now_ms, idle_timeout_ms))
    )
