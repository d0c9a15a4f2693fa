"""``/api/sessions``: takes events, returns sessions."""

from collections import Counter
from typing import Any

from flask import Blueprint, request
from marshmallow import ValidationError

from payments.domain.decisions import Outcome
from payments.domain.entries import JSON
from payments.domain.money import format_eth
from payments.domain.records import session_record
from payments.domain.sessions import Session, SessionEvent
from payments.errors import Rejected
from payments.events import load_event
from payments.store import SessionQuery
from payments.web.body import BATCH_LIMIT, read_json
from payments.web.meters import INVALID, REJECTED, UNREADABLE, count_event
from payments.web.problems import rejection
from payments.web.schemas import SessionsQuery
from payments.web.services import services

BATCH_EVENTS = 1000

blueprint = Blueprint("sessions", __name__, url_prefix="/api/sessions")


@blueprint.post("/events")
def post_event() -> dict[str, JSON]:
    app = services()
    app.gate.admit_reporter(request)
    event = _load_or_error(read_json(request), app.now_ms())
    if isinstance(event, ValidationError):
        count_event(UNREADABLE, INVALID)
        raise event
    (result,) = app.store.execute([event])
    count_event(*_metric_labels(event, result))
    if isinstance(result, Rejected):
        raise result
    return {**session_record(result.session), "outcome": result.kind}


@blueprint.post("/events/batch")
def post_batch() -> dict[str, Any]:
    """Record up to 1,000 events; each has its own result (rule 3.3)."""
    app = services()
    app.gate.admit_reporter(request)
    items = read_json(request, BATCH_LIMIT)
    if not isinstance(items, list) or len(items) > BATCH_EVENTS:
        raise ValidationError(f"Must be an array of at most {BATCH_EVENTS} events.")
    received_at_ms = app.now_ms()
    loaded = [_load_or_error(item, received_at_ms) for item in items]
    events = [event for event in loaded if isinstance(event, SessionEvent)]
    executed = iter(app.store.execute(events) if events else ())
    results = [event if isinstance(event, ValidationError) else next(executed) for event in loaded]
    for (kind, outcome), count in Counter(map(_metric_labels, loaded, results)).items():
        count_event(kind, outcome, count)
    return {"results": list(map(_batch_result, items, results))}


@blueprint.get("")
def get_sessions() -> dict[str, Any]:
    app = services()
    app.gate.admit_viewer(request)
    filters = SessionsQuery().load(request.args)
    before, limit = filters.pop("cursor", None), filters.pop("limit")
    now_ms, idle_timeout_ms = app.now_ms(), app.settings.session_idle_timeout_s * 1000
    query = SessionQuery(**filters, now_ms=now_ms, idle_timeout_ms=idle_timeout_ms)
    page = app.store.sessions(query, before=before, limit=limit)
    return {
        "sessions": [_current_record(session, now_ms, idle_timeout_ms) for session in page.items],
        "next_cursor": page.before,
    }


@blueprint.get("/<anything:session_id>")
def get_session(session_id: str) -> dict[str, JSON]:
    app = services()
    app.gate.admit_viewer(request)
    session = app.store.session(session_id)
    if session is None:
        raise Rejected("not-found", f'no session "{session_id}" is known')
    record = _current_record(session, app.now_ms(), app.settings.session_idle_timeout_s * 1000)
    account: dict[str, JSON] = {
        "elapsed_ms": session.elapsed_ms,
        "billed_ms": session.billed_ms,
        "unbilled_ms": session.unbilled_ms,
    }
    return {**record, "account": {"from": record["started_at"], "to": record["last_billed_at"], **account}}


def _current_record(session: Session, now_ms: int, idle_timeout_ms: int) -> dict[str, JSON]:
    """The session record at ``now_ms``; an active session may have gone stale."""
    return {**session_record(session), "status": session.status_at(now_ms, idle_timeout_ms)}


def _load_or_error(item: Any, received_at_ms: int) -> SessionEvent | ValidationError:
    try:
        return load_event(item, received_at_ms)
    except ValidationError as error:
        return error


def _metric_labels(
    event: SessionEvent | ValidationError, result: Outcome | Rejected | ValidationError
) -> tuple[str, str]:
    """The labels that an event is counted under: its kind and its outcome."""
    if isinstance(event, ValidationError):
        return UNREADABLE, INVALID
    return event.event, result.kind if isinstance(result, Outcome) else REJECTED


def _batch_result(item: Any, result: Outcome | Rejected | ValidationError) -> dict[str, JSON]:
    """One result of a batch. It is short: whole records would make a full batch a megabyte."""
    if not isinstance(result, Outcome):
        session_id = item.get("session_id") if isinstance(item, dict) else None
        return {"session_id": session_id if isinstance(session_id, str) else None, "problem": rejection(result)}
    session = result.session
    return {
        "session_id": session.session_id,
        "outcome": result.kind,
        "incarnation": session.incarnation,
        "orchestrator_id": session.orchestrator_id,
        "status": session.status,
        "billed_ms": session.billed_ms,
        "billed_eth": format_eth(session.billed_wei),
        "last_credited_eth": format_eth(session.last_credited_wei),
    }
