"""JSON Schema of every answer. Members are always present unless listed as optional."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from payments.domain.decisions import DUPLICATE, LATE, RECORDED
from payments.domain.entries import ADJUSTMENT, PAYOUT, POWER_TIME, SESSION_TIME, EventName, ReasonName
from payments.domain.ledger import Balance
from payments.domain.readings import PowerState
from payments.domain.sessions import ACTIVE, ENDED, EVENTS, Session
from payments.domain.units import Moment, Ordinal, SignedWei, Unit, Wei
from payments.registry import Record
from payments.web.openapi.shapes import Shape, members_of, shape_of
from payments.web.problems import KINDS


def _object(members: Mapping[str, Any], *, optional: tuple[str, ...] = (), about: str = "") -> Shape:
    """An object schema. Each member is given as a schema, or as a type if that is enough."""
    shapes = {name: each if isinstance(each, dict) else shape_of(each) for name, each in members.items()}
    return {
        "type": "object",
        **({"description": about} if about else {}),
        "properties": shapes,
        "required": [name for name in members if name not in optional],
    }


def _enum(*words: str, about: str = "") -> Shape:
    return shape_of(str, about, enum=list(words))


def _array(items: Shape) -> Shape:
    return {"type": "array", "items": items}


def _ref(schema: str) -> Shape:
    return {"$ref": f"#/components/schemas/{schema}"}


def _page(name: str, schema: str, about: str) -> Shape:
    return _object({name: _array(_ref(schema)), "next_cursor": _CURSOR}, about=about)


def _pick(members: Mapping[str, Shape], *names: str) -> dict[str, Shape]:
    return {name: members[name] for name in names}


def _problem(kinds: Iterable[str], about: str, **more: Shape) -> Shape:
    members = {
        "type": _enum(*(f"urn:payments:problem:{kind}" for kind in kinds), about="Stable: safe to compare."),
        "title": str,
        "status": shape_of(int, enum=sorted({KINDS[kind].status for kind in kinds})),
        "detail": shape_of(str, "What is wrong and how to fix it."),
        "errors": _array(_object({"field": str, "detail": str})),
        **more,
    }
    return _object(members, optional=("errors",), about=about)


_CURSOR = shape_of(
    Annotated[str, Unit({"pattern": "^[0-9]+$"})] | None,
    "Pass as `cursor` to get the next page; null on the last page.",
)
_OUTCOME = _enum(RECORDED, DUPLICATE, LATE, about="`duplicate` and `late` change nothing.")
_SESSION, _POWER = members_of(Session), members_of(PowerState)
_BALANCE = {**members_of(Balance), "credit_unit": shape_of(str, "Label, set by `PAYMENTS_CREDIT_UNIT`.")}
_ACCOUNT = _object(
    {
        "from": Moment,
        "to": Moment,
        "elapsed_ms": shape_of(int, "`billed_ms` plus all of `unbilled_ms`."),
        **_pick(_SESSION, "billed_ms", "unbilled_ms"),
    }
)
_METADATA = {
    **_pick(_SESSION, "session_id", "incarnation", "edge_id", "streamer_id", "upstream_addr", "upstream_port"),
    "event": _enum(*EVENTS, "reap", "forget"),
    "delta_ms": shape_of(int, "Billed part of the interval."),
    "interval_start": Moment,
    "interval_end": Moment,
    "unbilled_ms": _SESSION["unbilled_ms"],
    "rate_eth_per_minute": shape_of(Wei, "The rate."),
    "credit_unit": str,
    "state": shape_of(str, "State reported by the host."),
    "read_at": Moment,
    "no_credit": shape_of(str, "Why the reading credited nothing."),
    "detail": shape_of(str, "Why the state is unknown."),
    "booked_as": shape_of(str, "Idempotency key."),
    "reference": str,
    "tx_hash": str,
    "note": str | None,
}
_ENTRY = _object(
    {
        "seq": shape_of(Ordinal, "Sequence number: 1, 2, 3, ... without gaps."),
        "timestamp": shape_of(Moment, "When it was recorded."),
        "event": EventName,
        "reason": ReasonName,
        "orchestrator_id": shape_of(str | None, "Who earns; null if the address belongs to no orchestrator."),
        "amount": shape_of(Wei, "Only in entries that move money, as are `delta` and `balance`."),
        "delta": shape_of(SignedWei, "The amount with its sign."),
        "balance": shape_of(SignedWei, "Balance after this entry."),
        "metadata": _object(
            _METADATA, optional=tuple(_METADATA), about="Details that explain the entry; members depend on its reason."
        ),
    },
    optional=("amount", "delta", "balance"),
    about="An entry of the journal.",
)
_DAY_SUM = _object(
    {
        "day": shape_of(str, "In UTC.", format="date"),
        "reason": _enum(SESSION_TIME, POWER_TIME, ADJUSTMENT, PAYOUT),
        "entries": Ordinal,
        "delta": shape_of(SignedWei, "Sum of the entries."),
    }
)
_STATS = {
    "orchestrator_id": str,
    "since": shape_of(Moment, "Start of the first day."),
    "stats": _array(_DAY_SUM),
    "complete": shape_of(bool, "If false, the sums cover only the latest entries."),
    "next_cursor": {**_CURSOR, "description": "Pass as `cursor`, and add the next sums to these; null if complete."},
}
_SWEEP = _object(
    {
        "ended_at": Moment,
        "age_s": float,
        "seconds": float,
        **dict.fromkeys(("asked", "awake", "asleep", "unknown", "left_out"), int),
        "credited_eth": shape_of(Wei, "Credited by the sweep."),
    }
)
_HEALTH_PROBLEM = shape_of(str | None, "What is wrong; null if nothing is.")
_READY = {
    "status": _enum("ok", "degraded", about="`degraded`: events are recorded, but something else is wrong."),
    "store": _object({"engine": str, "seq": shape_of(int, "Last entry known to the answering process.")}),
    "registry": _object({"orchestrators": int, "problem": _HEALTH_PROBLEM}),
    "worker": _object(
        {"seen_at": Moment | None, "sweep": {**_SWEEP, "type": ["object", "null"]}, "problem": _HEALTH_PROBLEM}
    ),
}

SCHEMAS: Mapping[str, Shape] = {
    "Session": _object(_SESSION, about="A session: its state, times and billing."),
    "SessionWithOutcome": _object({**_SESSION, "outcome": _OUTCOME}, about="A session, and the outcome of the event."),
    "SessionWithAccount": _object({**_SESSION, "account": _ACCOUNT}, about="A session, and how its time adds up."),
    "BatchResult": _object(
        {
            **_pick(_SESSION, "session_id", "incarnation", "orchestrator_id"),
            **_pick(_SESSION, "billed_ms", "billed_eth", "last_credited_eth"),
            "outcome": _OUTCOME,
            "status": _enum(ACTIVE, ENDED),
        },
        about="The session after an event of a batch, in short, and the event's outcome.",
    ),
    "BatchRefusal": _object(
        {"session_id": str | None, "problem": _ref("ItemProblem")}, about="Why an event of a batch was refused."
    ),
    "BatchResults": _object(
        {"results": _array({"anyOf": [_ref("BatchResult"), _ref("BatchRefusal")]})},
        about="A result for each event, in their order.",
    ),
    "Sessions": _page("sessions", "Session", "A page of sessions, newest first."),
    "Entry": _ENTRY,
    "Entries": _page("events", "Entry", "A page of entries, newest first."),
    "Balance": _object(_BALANCE, about="What an orchestrator is owed."),
    "Balances": _object({"balances": _array(_ref("Balance"))}, about="All balances."),
    "Booking": _object(
        {
            **_BALANCE,
            "outcome": _enum(RECORDED, DUPLICATE),
            "delta": shape_of(SignedWei, "Change of the balance."),
            "booked_by": shape_of(Ordinal, "`seq` of its entry; for a duplicate, of the original."),
        },
        about="The balance after an adjustment or payout, and the entry that recorded it.",
    ),
    "Orchestrator": _object(members_of(Record), about="An orchestrator's record."),
    "Orchestrators": _object({"orchestrators": _array(_ref("Orchestrator"))}, about="All records."),
    "Stats": _object(_STATS, about="Sums of an orchestrator's entries, by day and reason."),
    "Power": _object(
        {**_POWER, "is_fresh": shape_of(bool, "Whether it is recent enough to count.")},
        about="The last power reading of an orchestrator, and what its power earned.",
    ),
    "PowerStates": _object({"power": _array(_ref("Power"))}, about="The last power reading of each orchestrator."),
    "Alive": _object({"status": _enum("ok")}, about="The process is up."),
    "Ready": _object(_READY, about="The state of the store, the registry and the worker."),
    "Problem": _problem(
        KINDS,
        "RFC 9457 problem details.",
        request_id=shape_of(str, "As in the log and the X-Request-ID header.", maxLength=64),
    ),
    "ItemProblem": _problem(("invalid", "conflict"), "RFC 9457 problem details of an event of a batch."),
}
