"""What every answer holds, in JSON Schema; every member that is named here is always there unless it says otherwise."""

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


def _record(members: Mapping[str, Any], *, optional: tuple[str, ...] = (), about: str = "") -> Shape:
    """An object: a member is said by its shape, or its type where that says all."""
    shapes = {name: each if isinstance(each, dict) else shape_of(each) for name, each in members.items()}
    return {
        "type": "object",
        **({"description": about} if about else {}),
        "properties": shapes,
        "required": [name for name in members if name not in optional],
    }


def _word(*words: str, about: str = "") -> Shape:
    return shape_of(str, about, enum=list(words))


def _list(items: Shape) -> Shape:
    return {"type": "array", "items": items}


def _named(schema: str) -> Shape:
    return {"$ref": f"#/components/schemas/{schema}"}


def _page(name: str, schema: str) -> Shape:
    return _record({name: _list(_named(schema)), "next_cursor": _CURSOR})


def _some(members: Mapping[str, Shape], *names: str) -> dict[str, Shape]:
    return {name: members[name] for name in names}


def _problem(kinds: Iterable[str], **more: Shape) -> Shape:
    members = {
        "type": _word(*(f"urn:payments:problem:{kind}" for kind in kinds), about="Stable."),
        "title": str,
        "status": shape_of(int, enum=sorted({KINDS[kind].status for kind in kinds})),
        "detail": shape_of(str, "What is wrong, and what to do."),
        "errors": _list(_record({"field": str, "detail": str})),
        **more,
    }
    return _record(members, optional=("errors",), about="RFC 9457 problem details.")


_CURSOR = shape_of(
    Annotated[str, Unit({"pattern": "^[0-9]+$"})] | None, "Pass it as `cursor` for what follows; null: nothing does."
)
_OUTCOME = _word(RECORDED, DUPLICATE, LATE, about="`duplicate`, `late`: nothing was changed.")
_SESSION, _POWER = members_of(Session), members_of(PowerState)
_BALANCE = {**members_of(Balance), "credit_unit": shape_of(str, "The label that `PAYMENTS_CREDIT_UNIT` sets.")}
_ACCOUNT = _record(
    {
        "from": Moment,
        "to": Moment,
        "elapsed_ms": shape_of(int, "`billed_ms` and all of `unbilled_ms`."),
        **_some(_SESSION, "billed_ms", "unbilled_ms"),
    }
)
_METADATA = {
    **_some(_SESSION, "session_id", "incarnation", "edge_id", "streamer_id", "upstream_addr", "upstream_port"),
    "event": _word(*EVENTS, "reap", "forget"),
    "delta_ms": shape_of(int, "How much of the interval earned."),
    "interval_start": Moment,
    "interval_end": Moment,
    "unbilled_ms": _SESSION["unbilled_ms"],
    "rate_eth_per_minute": shape_of(Wei, "The rate."),
    "credit_unit": str,
    "state": shape_of(str, "What the host said."),
    "read_at": Moment,
    "no_credit": shape_of(str, "Why the reading credited nothing."),
    "detail": shape_of(str, "Why the state is unknown."),
    "booked_as": shape_of(str, "Under this it is not booked again."),
    "reference": str,
    "tx_hash": str,
    "note": str | None,
}
_ENTRY = _record(
    {
        "seq": shape_of(Ordinal, "1, 2, 3 and so on, without a hole."),
        "timestamp": shape_of(Moment, "When it was recorded."),
        "event": EventName,
        "reason": ReasonName,
        "orchestrator_id": shape_of(str | None, "Who earns; null: nobody has the address."),
        "amount": shape_of(Wei, "Of money only, as are `delta` and `balance`."),
        "delta": shape_of(SignedWei, "The amount with its sign."),
        "balance": shape_of(SignedWei, "After it."),
        "metadata": _record(_METADATA, optional=tuple(_METADATA), about="The explanation; what there is of it."),
    },
    optional=("amount", "delta", "balance"),
)
_DAY_SUM = _record(
    {
        "day": shape_of(str, "In UTC.", format="date"),
        "reason": _word(SESSION_TIME, POWER_TIME, ADJUSTMENT, PAYOUT),
        "entries": Ordinal,
        "delta": shape_of(SignedWei, "What they add up to."),
    }
)
_STATS = {
    "orchestrator_id": str,
    "since": shape_of(Moment, "When the first of the days began."),
    "stats": _list(_DAY_SUM),
    "complete": shape_of(bool, "false: these are sums of the latest entries only."),
    "next_cursor": {**_CURSOR, "description": "Pass it as `cursor`, and add what comes to these sums."},
}
_SWEEP = _record(
    {
        "ended_at": Moment,
        "age_s": float,
        "seconds": float,
        **dict.fromkeys(("asked", "awake", "asleep", "unknown", "left_out"), int),
        "credited_eth": shape_of(Wei, "What it credited."),
    }
)
_COMPLAINT = shape_of(str | None, "What is wrong; null: nothing.")
_READY = {
    "status": _word("ok", "degraded", about="`degraded`: events are recorded, and something else is wrong."),
    "store": _record({"engine": str, "seq": shape_of(int, "Of the last entry that the answering process knows of.")}),
    "registry": _record({"orchestrators": int, "problem": _COMPLAINT}),
    "worker": _record(
        {"seen_at": Moment | None, "sweep": {**_SWEEP, "type": ["object", "null"]}, "problem": _COMPLAINT}
    ),
}

SCHEMAS: Mapping[str, Shape] = {
    "Session": _record(_SESSION),
    "SessionWithOutcome": _record({**_SESSION, "outcome": _OUTCOME}),
    "SessionWithAccount": _record({**_SESSION, "account": _ACCOUNT}),
    "BatchResult": _record(
        {
            **_some(_SESSION, "session_id", "incarnation", "orchestrator_id"),
            **_some(_SESSION, "billed_ms", "billed_eth", "last_credited_eth"),
            "outcome": _OUTCOME,
            "status": _word(ACTIVE, ENDED),
        }
    ),
    "BatchRefusal": _record({"session_id": str | None, "problem": _named("ItemProblem")}),
    "BatchResults": _record({"results": _list({"anyOf": [_named("BatchResult"), _named("BatchRefusal")]})}),
    "Sessions": _page("sessions", "Session"),
    "Entry": _ENTRY,
    "Entries": _page("events", "Entry"),
    "Balance": _record(_BALANCE),
    "Balances": _record({"balances": _list(_named("Balance"))}),
    "Booking": _record(
        {
            **_BALANCE,
            "outcome": _word(RECORDED, DUPLICATE),
            "delta": shape_of(SignedWei, "By how much it changed the balance."),
            "booked_by": shape_of(Ordinal, "The entry that did it, now or the first time."),
        }
    ),
    "Orchestrator": _record(members_of(Record)),
    "Orchestrators": _record({"orchestrators": _list(_named("Orchestrator"))}),
    "Stats": _record(_STATS),
    "Power": _record({**_POWER, "is_fresh": shape_of(bool, "Whether it still says anything.")}),
    "PowerStates": _record({"power": _list(_named("Power"))}),
    "Alive": _record({"status": _word("ok")}),
    "Ready": _record(_READY),
    "Problem": _problem(KINDS, request_id=shape_of(str, "As in the log, and in X-Request-ID.", maxLength=64)),
    "ItemProblem": _problem(("invalid", "conflict")),
}
