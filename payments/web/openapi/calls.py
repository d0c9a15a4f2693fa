"""Every call: its role, parameters, body, answer and problems."""

from typing import Any, NamedTuple

from marshmallow import Schema
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from payments.events import EventSchema
from payments.registry import RecordSchema
from payments.web.schemas import (
    AdjustmentSchema,
    ChangeSchema,
    EntriesQuery,
    PayoutSchema,
    SessionsQuery,
    StatsQuery,
)

REPORTER, VIEWER, ADMIN, ANYONE = "reporter", "viewer", "admin", "anyone"

_ALWAYS = ("malformed", "internal")
_BY_ROLE = {
    REPORTER: ("unauthenticated", "forbidden"),
    VIEWER: ("unauthenticated", "forbidden"),
    ADMIN: ("unauthenticated", "forbidden"),
    ANYONE: (),
}
_BODY = ("too-large", "unsupported-media-type", "invalid")


class Call(NamedTuple):
    """One method of one path.

    Attributes:
        path: as Flask has it.
        answer: schema of the 200 answer, or its media type if it is not JSON.
        body: schema of the body; ``batch``: the body is an array of it. ``query``: schema of the parameters.
        problems: kinds beyond those that follow from role, body and query.
        created: whether it may also answer 201.
    """

    method: str
    path: str
    role: str
    summary: str
    answer: str
    body: type[Schema] | None = None
    query: type[Schema] | None = None
    problems: tuple[str, ...] = ()
    batch: bool = False
    created: bool = False

    @property
    def kinds(self) -> set[str]:
        """All kinds of problem that it may answer."""
        by_input = _BODY if self.body else ("invalid",) if self.query else ()
        return {*_ALWAYS, *_BY_ROLE[self.role], *by_input, *self.problems}


_STORE = ("unavailable",)

CALLS = (
    Call("POST", "/api/sessions/events", REPORTER, "Report one event of a session.", "SessionWithOutcome",
         body=EventSchema, problems=("conflict", *_STORE)),
    Call("POST", "/api/sessions/events/batch", REPORTER,
         "Report up to 1,000 events, in order. A bad one does not stop the others.", "BatchResults",
         body=EventSchema, batch=True, problems=_STORE),
    Call("GET", "/api/sessions", VIEWER, "List sessions, newest first.", "Sessions",
         query=SessionsQuery, problems=_STORE),
    Call("GET", "/api/sessions/<anything:session_id>", VIEWER, "Show one session, and how its time was accounted for.",
         "SessionWithAccount", problems=("not-found", *_STORE)),
    Call("GET", "/api/ledger/events", VIEWER,
         "List entries, newest first. A page may be short or empty and still have a next page.", "Entries",
         query=EntriesQuery, problems=_STORE),
    Call("GET", "/api/ledger/balances", VIEWER, "List what every orchestrator is owed.", "Balances", problems=_STORE),
    Call("POST", "/api/ledger/adjustments", ADMIN,
         "Correct a balance. `reference` is the idempotency key per orchestrator.", "Booking",
         body=AdjustmentSchema, problems=("not-found", "conflict", *_STORE)),
    Call("POST", "/api/ledger/payouts", ADMIN,
         "Record a payment. `tx_hash` is the idempotency key per orchestrator.",
         "Booking", body=PayoutSchema, problems=("not-found", "conflict", *_STORE)),
    Call("POST", "/api/orchestrators/register", ADMIN, "Create a record (201), or update it (200).", "Orchestrator",
         body=RecordSchema, problems=("conflict", *_STORE), created=True),
    Call("PATCH", "/api/orchestrators/<orchestrator_id>", ADMIN, "Change given fields; null clears a field.",
         "Orchestrator", body=ChangeSchema, problems=("not-found", "conflict", *_STORE)),
    Call("GET", "/api/orchestrators", VIEWER, "List records in order of registration.", "Orchestrators"),
    Call("GET", "/api/orchestrators/<orchestrator_id>", VIEWER, "Show one record.", "Orchestrator",
         problems=("not-found",)),
    Call("GET", "/api/orchestrators/<orchestrator_id>/stats", VIEWER,
         "Sum what was earned and paid by day (UTC) and reason, over the last days including today. "
         "One call reads some thousand entries; if there are more, follow the cursor and add up.", "Stats",
         query=StatsQuery, problems=("not-found", *_STORE)),
    Call("GET", "/api/power", VIEWER, "List the last reading of each orchestrator.", "PowerStates", problems=_STORE),
    Call("GET", "/healthz", ANYONE, "Liveness.", "Alive"),
    Call("GET", "/readyz", ANYONE, "Readiness: could an event be recorded now?", "Ready", problems=_STORE),
    Call("GET", "/metrics", VIEWER, "Metrics for Prometheus.", CONTENT_TYPE_LATEST),
    Call("GET", "/openapi.json", VIEWER, "This document.", "application/json"),
    Call("GET", "/docs", VIEWER, "This document as a page.", "text/html"),
)  # fmt: skip

PARAMETERS: dict[str, dict[str, Any]] = {
    "session_id": {"description": "Session id.", "schema": {"type": "string", "minLength": 1}},
    "orchestrator_id": {"description": "Orchestrator id.", "schema": {"type": "string", "minLength": 1}},
}
"""Path parameters; any text is valid, and answered 404 at worst."""
