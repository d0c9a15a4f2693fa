"""What requests may say."""

import re
from typing import Any

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields, validate

from payments.domain.addresses import canonical_ip
from payments.domain.sessions import EVENTS, HEARTBEAT, STATUSES, SessionEvent
from payments.registry.records import Canonical, Moment, RecordSchema


class Text(fields.Field[str]):
    """A string of printable characters: no control characters, no lone surrogates, nothing that mangles a log."""

    def __init__(self, least: int, most: int, **options: Any) -> None:
        super().__init__(**options)
        self.least, self.most = least, most

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError("Not a string.")
        if not self.least <= len(value) <= self.most or not value.isprintable():
            raise ValidationError(f"Must be {self.least} to {self.most} printable characters.")
        return value


class Whole(fields.Field[int]):
    """A whole JSON number from ``least`` to ``most``; not ``true``, not ``1.0``."""

    def __init__(self, least: int, most: int, **options: Any) -> None:
        super().__init__(**options)
        self.least, self.most = least, most

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> int:
        if type(value) is not int:
            raise ValidationError("Not a whole number.")
        if not self.least <= value <= self.most:
            raise ValidationError(f"Must be from {self.least} to {self.most}.")
        return value


class WholeText(Whole):
    """The same in a query string."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> int:
        if not re.fullmatch(r"[0-9]{1,19}", value):
            raise ValidationError("Not a whole number.")
        return super()._deserialize(int(value), attr, data)


class EventSchema(Schema):
    """An event of an edge. Unknown fields are ignored: edges are upgraded at their own pace."""

    class Meta:
        unknown = EXCLUDE

    session_id = Text(1, 128, required=True)
    event = fields.String(load_default=HEARTBEAT, validate=validate.OneOf(EVENTS))
    upstream_addr = Canonical(canonical_ip, allow_none=True)
    upstream_port = Whole(1, 65535, allow_none=True)
    edge_id = Text(0, 64, allow_none=True)
    streamer_id = Text(0, 128, allow_none=True)
    event_id = Text(1, 128, allow_none=True)
    seq = Whole(0, 2**63 - 1, allow_none=True)
    occurred_at = Moment(allow_none=True)


class SessionsQuery(Schema):
    """Which sessions to list. Unknown parameters are ignored."""

    class Meta:
        unknown = EXCLUDE

    limit = WholeText(1, 2000, load_default=200)
    cursor = WholeText(1, 2**63 - 1)
    orchestrator_id = fields.String()
    edge_id = fields.String()
    status = fields.String(validate=validate.OneOf(STATUSES))
    active_only = fields.Boolean(load_default=False)


class EntriesQuery(Schema):
    """Which entries to list. Unknown parameters are ignored."""

    class Meta:
        unknown = EXCLUDE

    limit = WholeText(1, 2000, load_default=200)
    cursor = WholeText(1, 2**63 - 1)
    orchestrator_id = fields.String()
    reason = fields.String()
    session_id = fields.String()
    since = Moment(attribute="since_ms")
    until = Moment(attribute="until_ms")


class ChangeSchema(RecordSchema):
    """Changes to an orchestrator's record; its id is in the path."""

    class Meta:
        unknown = RAISE
        exclude = ("orchestrator_id",)


_EVENT = EventSchema()


def load_event(item: Any, received_at_ms: int) -> SessionEvent:
    """The event that ``item`` reports. Raises ``ValidationError``, naming every field that is wrong."""
    values = _EVENT.load(item)
    occurred_at_ms = values.pop("occurred_at", None)
    return SessionEvent(received_at_ms=received_at_ms, occurred_at_ms=occurred_at_ms, **values)
