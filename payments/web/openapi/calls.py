"""Every call: who may make it, what it takes, and what it can answer."""

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
    """One method of one address.

    Attributes:
        path: as Flask has it.
        answer: the schema of what comes with 200, or a media type where it is no JSON.
        body: the schema of what it takes; ``query`` likewise. ``batch``: an array of it.
        problems: kinds that it can answer, besides those that its role, its body or query, and every call can.
        created: whether it answers 201 too.
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
        """All kinds of problem that it can answer."""
        asked = _BODY if self.body else ("invalid",) if self.query else ()
        return {*_ALWAYS, *_BY_ROLE[self.role], *asked, *self.problems}


_STORE = ("unavailable",)

CALLS = (
    Call("POST", "/api/sessions/events", REPORTER, "Report one event of a session.", "SessionWithOutcome",
         body=EventSchema, problems=("conflict", *_STORE)),
    Call("POST", "/api/sessions/events/batch", REPORTER,
         "Report up to 1,000 events, in order; good ones are kept whatever the others are.", "BatchResults",
         body=EventSchema, batch=True, problems=_STORE),
    Call("GET", "/api/sessions", VIEWER, "List sessions, newest first.", "Sessions",
         query=SessionsQuery, problems=_STORE),
    Call("GET", "/api/sessions/<anything:session_id>", VIEWER, "Show one session, with the account of its time.",
         "SessionWithAccount", problems=("not-found", *_STORE)),
    Call("GET", "/api/ledger/events", VIEWER,
         "List entries, newest first. A page may be short, or empty, and still have a next one.", "Entries",
         query=EntriesQuery, problems=_STORE),
    Call("GET", "/api/ledger/balances", VIEWER, "What every orchestrator is owed.", "Balances", problems=_STORE),
    Call("POST", "/api/ledger/adjustments", ADMIN,
         "Correct a balance. `reference` is the idempotency key, for this orchestrator.", "Booking",
         body=AdjustmentSchema, problems=("not-found", "conflict", *_STORE)),
    Call("POST", "/api/ledger/payouts", ADMIN,
         "Record a payment that was made, of what is owed. `tx_hash` is the idempotency key, for this orchestrator.",
         "Booking", body=PayoutSchema, problems=("not-found", "conflict", *_STORE)),
    Call("POST", "/api/orchestrators/register", ADMIN, "Create a record (201), or refresh it.", "Orchestrator",
         body=RecordSchema, problems=("conflict", *_STORE), created=True),
    Call("PATCH", "/api/orchestrators/<orchestrator_id>", ADMIN, "Change what is named; null clears it.",
         "Orchestrator", body=ChangeSchema, problems=("not-found", "conflict", *_STORE)),
    Call("GET", "/api/orchestrators", VIEWER, "List the records, in the order of registration.", "Orchestrators"),
    Call("GET", "/api/orchestrators/<orchestrator_id>", VIEWER, "Show one record.", "Orchestrator",
         problems=("not-found",)),
    Call("GET", "/api/orchestrators/<orchestrator_id>/stats", VIEWER,
         "What was earned and paid in the last days, today included, by day (UTC) and reason. "
         "One call looks at some thousand entries; where there are more, add up what the cursor leads to.", "Stats",
         query=StatsQuery, problems=("not-found", *_STORE)),
    Call("GET", "/api/power", VIEWER, "The last reading of every orchestrator.", "PowerStates", problems=_STORE),
    Call("GET", "/healthz", ANYONE, "Is the process up?", "Alive"),
    Call("GET", "/readyz", ANYONE, "Could an event be recorded now?", "Ready", problems=_STORE),
    Call("GET", "/metrics", VIEWER, "For Prometheus.", CONTENT_TYPE_LATEST),
    Call("GET", "/openapi.json", VIEWER, "This description.", "application/json"),
    Call("GET", "/docs", VIEWER, "This description as a page.", "text/html"),
)  # fmt: skip

PARAMETERS: dict[str, dict[str, Any]] = {
    "session_id": {"description": "The session.", "schema": {"type": "string", "minLength": 1}},
    "orchestrator_id": {"description": "Its id in the registry.", "schema": {"type": "string", "minLength": 1}},
}
"""What stands in a path; whatever it is, there is at worst no such thing."""
