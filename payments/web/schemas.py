"""What requests may say."""

from typing import Any

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields, validate

from payments.domain.addresses import canonical_ip
from payments.domain.ledger import TX_HASH, canonical_tx_hash
from payments.domain.sessions import EVENTS, HEARTBEAT, STATUSES, SessionEvent
from payments.fields import IP_ADDRESS, Amount, Canonical, Choice, Moment, Strict, Text, Whole, WholeText
from payments.registry import RecordSchema


def _about(text: str) -> dict[str, str]:
    return {"description": text}


class EventSchema(Schema):
    """An event of an edge. Unknown fields are ignored: edges are upgraded at their own pace."""

    class Meta:
        unknown = EXCLUDE

    session_id = Text(1, 128, required=True, metadata=_about("Names the session; the same in all of its events."))
    event = Choice(EVENTS, load_default=HEARTBEAT, metadata=_about("What happened."))
    upstream_addr = Canonical(
        canonical_ip,
        IP_ADDRESS,
        allow_none=True,
        metadata=_about("The game host's IP; required unless the session is known."),
    )
    upstream_port = Whole(1, 65535, allow_none=True, metadata=_about("The game host's port."))
    edge_id = Text(0, 64, allow_none=True, metadata=_about("Which edge this is."))
    streamer_id = Text(0, 128, allow_none=True, metadata=_about("What the viewer watches."))
    event_id = Text(
        1,
        128,
        allow_none=True,
        metadata=_about("Idempotency key: the last one again, with the same content, changes nothing."),
    )
    seq = Whole(
        0,
        2**63 - 1,
        allow_none=True,
        metadata=_about("Grows by one per event of the session; one not above the last changes nothing."),
    )
    occurred_at = Moment(
        allow_none=True, metadata=_about("When it happened, by the edge's clock; without it, when it is received.")
    )


class SessionsQuery(Schema):
    """Which sessions to list. Unknown parameters are ignored."""

    class Meta:
        unknown = EXCLUDE

    limit = WholeText(1, 2000, load_default=200, metadata=_about("How many at most."))
    cursor = WholeText(1, 2**63 - 1, metadata=_about("The `next_cursor` of the page before."))
    orchestrator_id = fields.String(metadata=_about("Of this one only."))
    edge_id = fields.String(metadata=_about("Of this edge only."))
    status = fields.String(validate=validate.OneOf(STATUSES), metadata=_about("Of this status only."))
    active_only = fields.Boolean(
        load_default=False, metadata=_about("Leave out those that have ended; usually `true` or `false`.")
    )


class EntriesQuery(Schema):
    """Which entries to list. Unknown parameters are ignored."""

    class Meta:
        unknown = EXCLUDE

    limit = WholeText(1, 2000, load_default=200, metadata=_about("How many at most."))
    cursor = WholeText(1, 2**63 - 1, metadata=_about("The `next_cursor` of the page before."))
    orchestrator_id = fields.String(metadata=_about("Of this one only."))
    reason = fields.String(metadata=_about("For this reason only."))
    session_id = fields.String(metadata=_about("Of this session only."))
    since = Moment(attribute="since_ms", metadata=_about("Recorded then or later."))
    until = Moment(attribute="until_ms", metadata=_about("Recorded before."))


class StatsQuery(Schema):
    """Which days to sum up. Unknown parameters are ignored."""

    class Meta:
        unknown = EXCLUDE

    days = WholeText(1, 3660, load_default=30, metadata=_about("How many days, today included."))
    cursor = WholeText(1, 2**63 - 1, metadata=_about("The `next_cursor` of the answer before, with the same `days`."))


class ChangeSchema(RecordSchema):
    """Changes to an orchestrator's record; its id is in the path."""

    class Meta:
        unknown = RAISE
        exclude = ("orchestrator_id",)


class AdjustmentSchema(Schema):
    """A correction of a balance; unknown fields are refused, for they are most likely mistyped."""

    class Meta:
        unknown = RAISE

    orchestrator_id = Text(1, 128, required=True, metadata=_about("One that is registered, or was ever credited."))
    amount = Amount(signed=True, required=True, metadata=_about("ETH; with a minus it takes away."))
    reference = Text(1, 128, required=True, metadata=_about("Your name for it: the idempotency key."))
    note = Text(1, 500, required=True, metadata=_about("Why."))


class PayoutSchema(Schema):
    """A payment that was made; unknown fields are refused."""

    class Meta:
        unknown = RAISE

    orchestrator_id = Text(1, 128, required=True, metadata=_about("One that is registered, or was ever credited."))
    amount = Amount(required=True, metadata=_about("ETH; not more than is owed."))
    tx_hash = Canonical(
        canonical_tx_hash,
        {"pattern": f"^{TX_HASH}$"},
        required=True,
        metadata=_about("The transaction that paid it: the idempotency key."),
    )
    note = Text(1, 500, load_default=None, allow_none=True, metadata=_about("What there is to say about it."))


_EVENT = EventSchema()
_READERS = [(name, field.read) for name, field in _EVENT.load_fields.items() if isinstance(field, Strict)]


def load_event(item: Any, received_at_ms: int) -> SessionEvent:
    """The event that ``item`` reports. Raises ``ValidationError``, naming every field that is wrong."""
    values = _read(item)
    if values is None:
        loaded = _EVENT.load(item)
        values = [loaded.get(name) for name, _ in _READERS]
    session_id, event, *rest = values
    return SessionEvent(session_id, event or HEARTBEAT, received_at_ms, *rest)


def _read(item: Any) -> list[Any] | None:
    """What ``EventSchema`` loads, by its own fields and ten times as fast; ``None`` for it to say what is wrong.

    In the order of the schema, which is that of ``SessionEvent``.
    """
    if type(item) is not dict or item.get("session_id") is None or item.get("event", HEARTBEAT) is None:
        return None
    given = item.get
    try:
        return [None if (value := given(name)) is None else read(value) for name, read in _READERS]
    except ValidationError:
        return None
