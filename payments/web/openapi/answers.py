"""What every answer holds, in JSON Schema; every member that is named here is always there unless it says otherwise."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from payments.domain.decisions import DUPLICATE, LATE, RECORDED
from payments.domain.entries import (
    ADJUSTMENT,
    CREDIT,
    DEBIT,
    PAYOUT,
    POWER,
    POWER_READ,
    POWER_TIME,
    SESSION,
    SESSION_CLOSED,
    SESSION_FORGOTTEN,
    SESSION_OPENED,
    SESSION_REAPED,
    SESSION_SEEN,
    SESSION_TIME,
)
from payments.domain.readings import CLOCK, FIRST_READING, UNKNOWN
from payments.domain.sessions import ACTIVE, ASLEEP, ENDED, EVENTS, EXPIRED, GAP, STATUSES, TIMEOUT

from payments.domain.sessions import UNATTRIBUTED, UNPRICED  # isort: skip
from payments.web.problems import KINDS

Shape: TypeAlias = dict[str, Any]

_SESSION_CAUSES = (GAP, EXPIRED, UNATTRIBUTED, UNPRICED, ASLEEP)
_POWER_CAUSES = (CLOCK, GAP, UNKNOWN, ASLEEP, UNPRICED)


def _text(about: str = "", **more: Any) -> Shape:
    return {"type": "string", **({"description": about} if about else {}), **more}


def _whole(about: str = "", **more: Any) -> Shape:
    return {"type": "integer", "minimum": 0, **({"description": about} if about else {}), **more}


def _or_null(shape: Shape) -> Shape:
    return {**shape, "type": [shape["type"], "null"], **({"enum": [*shape["enum"], None]} if "enum" in shape else {})}


def _word(*words: str, about: str = "") -> Shape:
    return _text(about, enum=list(words))


def _list(items: Shape) -> Shape:
    return {"type": "array", "items": items}


def _record(members: Mapping[str, Shape], *, optional: tuple[str, ...] = (), about: str = "") -> Shape:
    return {
        "type": "object",
        **({"description": about} if about else {}),
        "properties": dict(members),
        "required": [name for name in members if name not in optional],
    }


def _eth(about: str, sign: str = "") -> Shape:
    return _text(f"{about} In ETH, exact.", pattern=rf"^{sign}(0|[1-9][0-9]*)(\.[0-9]*[1-9])?$")


def _moment(about: str = "") -> Shape:
    return _text(about, format="date-time", pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")


def _causes(words: tuple[str, ...], about: str) -> Shape:
    return {
        "type": "object",
        "description": about,
        "propertyNames": {"enum": list(words)},
        "additionalProperties": _whole(),
    }


def _named(schema: str) -> Shape:
    return {"$ref": f"#/components/schemas/{schema}"}


def _page(name: str, schema: str) -> Shape:
    return _record({name: _list(_named(schema)), "next_cursor": _CURSOR})


_CURSOR = _or_null(_text("Pass it as `cursor` for what follows; null: nothing does.", pattern="^[0-9]+$"))
_OUTCOME = _word(RECORDED, DUPLICATE, LATE, about="`duplicate`, `late`: nothing was changed.")
_EARNER = _or_null(_text("Who earns; null: nobody has the address."))
_ORCHESTRATOR = _text("The id in the registry.")
_FROZEN_REMAINDER = _whole("What was earned below one wei, in wei/60000.", maximum=59_999)

_SESSION: dict[str, Shape] = {
    "session_id": _text(),
    "incarnation": _whole("1, and one more for each start after an end.", minimum=1),
    "opened_seq": _whole("The entry that opened this incarnation.", minimum=1),
    "orchestrator_id": _EARNER,
    "upstream_addr": _text("The game host's IP."),
    "upstream_port": _or_null(_whole(maximum=65535)),
    "edge_id": _or_null(_text()),
    "streamer_id": _or_null(_text()),
    "status": _word(*STATUSES, about="`stale`: active, and silent for too long."),
    "started_at": _moment(),
    "last_seen_at": _moment("Receipt of the last event that counted."),
    "last_event": _word(*EVENTS),
    "last_billed_at": _moment("Up to here all time is accounted for."),
    "ended_at": _or_null(_moment()),
    "end_reason": _or_null(_word("end", TIMEOUT)),
    "billed_ms": _whole(),
    "billed_eth": _eth("What the session earned."),
    "remainder": _FROZEN_REMAINDER,
    "last_credited_eth": _eth("What the last event that billed earned."),
    "unbilled_ms": _causes(_SESSION_CAUSES, "Milliseconds that earned nothing, by cause."),
    "heartbeat_count": _whole(),
    "seq": _or_null(_whole("The last `seq` of the edge.")),
    "event_id": _or_null(_text("The last idempotency key.")),
    "event_digest": _or_null(_text("Of that event's content.")),
}
_ACCOUNT = _record(
    {
        "from": _moment(),
        "to": _moment(),
        "elapsed_ms": _whole("`billed_ms` and all of `unbilled_ms`."),
        "billed_ms": _whole(),
        "unbilled_ms": _SESSION["unbilled_ms"],
    }
)
_ITEM_MEMBERS = (
    "session_id", "incarnation", "orchestrator_id", "status", "billed_ms", "billed_eth", "last_credited_eth",
)  # fmt: skip
_BALANCE: dict[str, Shape] = {
    "orchestrator_id": _ORCHESTRATOR,
    "balance": _eth("Credits less debits; below zero only after a correction.", "-?"),
    "credit_unit": _text("The label that `PAYMENTS_CREDIT_UNIT` sets."),
    "updated_at": _moment(),
    "seq": _whole("The entry that made it so.", minimum=1),
}
_REASONS = (SESSION_TIME, POWER_TIME, ADJUSTMENT, PAYOUT)
_METADATA: dict[str, Shape] = {
    **{name: _SESSION[name] for name in ("session_id", "incarnation", "edge_id", "streamer_id")},
    **{name: _SESSION[name] for name in ("upstream_addr", "upstream_port")},
    "event": _word(*EVENTS, "reap", "forget"),
    "delta_ms": _whole("How much of the interval earned."),
    "interval_start": _moment(),
    "interval_end": _moment(),
    "unbilled_ms": _SESSION["unbilled_ms"],
    "rate_eth_per_minute": _eth("The rate."),
    "credit_unit": _text(),
    "state": _text("What the host said."),
    "read_at": _moment(),
    "no_credit": _text("Why the reading credited nothing."),
    "detail": _text("Why the state is unknown."),
    "booked_as": _text("Under this it is not booked again."),
    "reference": _text(),
    "tx_hash": _text(),
    "note": _or_null(_text()),
}
_ENTRY = _record(
    {
        "seq": _whole("1, 2, 3 and so on, without a hole.", minimum=1),
        "timestamp": _moment("When it was recorded."),
        "event": _word(CREDIT, DEBIT, SESSION, POWER),
        "reason": _word(
            *_REASONS, SESSION_OPENED, SESSION_SEEN, SESSION_CLOSED, SESSION_REAPED, SESSION_FORGOTTEN, POWER_READ
        ),
        "orchestrator_id": _EARNER,
        "amount": _eth("Of money only, as are `delta` and `balance`."),
        "delta": _eth("The amount with its sign.", "-?"),
        "balance": _eth("After it.", "-?"),
        "metadata": _record(_METADATA, optional=tuple(_METADATA), about="The explanation; what there is of it."),
    },
    optional=("amount", "delta", "balance"),
)
_POWER = _record(
    {
        "orchestrator_id": _ORCHESTRATOR,
        "state": _text("`awake`, another word of the host's, or `unknown`."),
        "detail": _or_null(_text("Why it is unknown.")),
        "read_at": _moment(),
        "since": _moment("The first reading in a row that said so."),
        "awake_from": _moment("The last stretch that awake readings cover, to `awake_until`."),
        "awake_until": _moment(),
        "metered_from": _moment("The first reading."),
        "metered_to": _moment("Up to here all time is accounted for."),
        "billed_ms": _whole(),
        "billed_eth": _eth("What power has earned."),
        "remainder": _FROZEN_REMAINDER,
        "last_credited_eth": _eth("What the last reading that credited anything did."),
        "no_credit": _or_null(_word(FIRST_READING, *_POWER_CAUSES)),
        "unbilled_ms": _causes(_POWER_CAUSES, "Milliseconds that earned nothing, by cause."),
        "is_fresh": {"type": "boolean", "description": "Whether it still says anything."},
    }
)
_ORCHESTRATOR_RECORD = _record(
    {
        "orchestrator_id": _ORCHESTRATOR,
        "address": _or_null(_text("Where payouts go, in EIP-55 spelling.", pattern="^0x[0-9a-fA-F]{40}$")),
        "host_public_ip": _or_null(_text("Sessions with this `upstream_addr` are this orchestrator's.")),
        "host_name": _or_null(_text()),
        "power_url": _or_null(_text("Where its power is asked, if not at `host_public_ip`.")),
        "enabled": {"type": "boolean"},
        "registered_at": _moment(),
        "updated_at": _moment(),
    }
)
_STATS = _record(
    {
        "orchestrator_id": _ORCHESTRATOR,
        "since": _moment("When the first of the days began."),
        "stats": _list(
            _record(
                {
                    "day": _text("In UTC.", format="date"),
                    "reason": _word(*_REASONS),
                    "entries": _whole(minimum=1),
                    "delta": _eth("What they add up to.", "-?"),
                }
            )
        ),
        "complete": {"type": "boolean", "description": "false: these are sums of the latest entries only."},
        "next_cursor": _or_null(_text("Pass it as `cursor`, and add what comes to these sums.", pattern="^[0-9]+$")),
    }
)
_FIELD_ERRORS = _list(_record({"field": _text(), "detail": _text()}))


def _problem(kinds: Mapping[str, Any], *more: str) -> Shape:
    members = {
        "type": _word(*(f"urn:payments:problem:{kind}" for kind in kinds), about="Stable."),
        "title": _text(),
        "status": _whole(enum=sorted({kind.status for kind in kinds.values()})),
        "detail": _text("What is wrong, and what to do."),
        "errors": _FIELD_ERRORS,
        "request_id": _text("As in the log, and in X-Request-ID.", maxLength=64),
    }
    kept = {name: shape for name, shape in members.items() if name != "request_id" or name in more}
    return _record(kept, optional=("errors",), about="RFC 9457 problem details.")


def _ready() -> Shape:
    sweep = {
        "ended_at": _moment(),
        "age_s": {"type": "number"},
        "seconds": {"type": "number"},
        **{name: _whole() for name in ("asked", "awake", "asleep", "unknown", "left_out")},
        "credited_eth": _eth("What it credited."),
    }
    complaint = _or_null(_text("What is wrong; null: nothing."))
    return _record(
        {
            "status": _word("ok", "degraded", about="`degraded`: events are recorded, and something else is wrong."),
            "store": _record({"engine": _text(), "seq": _whole("Of the last entry.")}),
            "registry": _record({"orchestrators": _whole(), "problem": complaint}),
            "worker": _record(
                {"seen_at": _or_null(_moment()), "sweep": _or_null(_record(sweep)), "problem": complaint}
            ),
        }
    )


SCHEMAS: Mapping[str, Shape] = {
    "Session": _record(_SESSION),
    "SessionWithOutcome": _record({**_SESSION, "outcome": _OUTCOME}),
    "SessionWithAccount": _record({**_SESSION, "account": _ACCOUNT}),
    "BatchResult": _record(
        {**{name: _SESSION[name] for name in _ITEM_MEMBERS}, "outcome": _OUTCOME, "status": _word(ACTIVE, ENDED)}
    ),
    "BatchRefusal": _record({"session_id": _or_null(_text()), "problem": _named("ItemProblem")}),
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
            "delta": _eth("By how much it changed the balance.", "-?"),
            "booked_by": _whole("The entry that did it, now or the first time.", minimum=1),
        }
    ),
    "Orchestrator": _ORCHESTRATOR_RECORD,
    "Orchestrators": _record({"orchestrators": _list(_named("Orchestrator"))}),
    "Stats": _STATS,
    "Power": _POWER,
    "PowerStates": _record({"power": _list(_named("Power"))}),
    "Alive": _record({"status": _word("ok")}),
    "Ready": _ready(),
    "Problem": _problem(KINDS, "request_id"),
    "ItemProblem": _problem({name: kind for name, kind in KINDS.items() if name in ("invalid", "conflict")}),
}
