"""The fields of requests."""

from marshmallow import EXCLUDE, RAISE, Schema, fields, validate

from payments.domain.ledger import TX_HASH, canonical_tx_hash
from payments.domain.sessions import STATUSES
from payments.fields import Amount, Canonical, IntegerText, Moment, Text, about
from payments.registry import RecordSchema


class SessionsQuery(Schema):
    """Filters of the list of sessions. Unknown parameters are ignored."""

    class Meta:
        unknown = EXCLUDE

    limit = IntegerText(1, 2000, load_default=200, metadata=about("Maximum number of items."))
    cursor = fields.String(metadata=about("The `next_cursor` of the previous page."))
    orchestrator_id = fields.String(metadata=about("Only this orchestrator."))
    edge_id = fields.String(metadata=about("Only this edge."))
    status = fields.String(validate=validate.OneOf(STATUSES), metadata=about("Only this status."))
    active_only = fields.Boolean(load_default=False, metadata=about("Leave out ended sessions: `true` or `false`."))


class EntriesQuery(Schema):
    """Filters of the list of entries. Unknown parameters are ignored."""

    class Meta:
        unknown = EXCLUDE

    limit = IntegerText(1, 2000, load_default=200, metadata=about("Maximum number of items."))
    cursor = fields.String(metadata=about("The `next_cursor` of the previous page."))
    orchestrator_id = fields.String(metadata=about("Only this orchestrator."))
    reason = fields.String(metadata=about("Only this reason."))
    session_id = fields.String(metadata=about("Only this session."))
    since = Moment(attribute="since_ms", metadata=about("Only entries recorded at or after this time."))
    until = Moment(attribute="until_ms", metadata=about("Only entries recorded before this time."))


class StatsQuery(Schema):
    """The days to sum up. Unknown parameters are ignored."""

    class Meta:
        unknown = EXCLUDE

    days = IntegerText(1, 3660, load_default=30, metadata=about("Number of days, including today."))
    cursor = fields.String(metadata=about("The `next_cursor` of the previous answer, with the same `days`."))


class ChangeSchema(RecordSchema):
    """Changes to an orchestrator's record; its id is in the path."""

    class Meta:
        unknown = RAISE
        exclude = ("orchestrator_id",)


class AdjustmentSchema(Schema):
    """A correction of a balance; unknown fields are refused, since they are probably typing errors."""

    class Meta:
        unknown = RAISE

    orchestrator_id = Text(
        1, 128, required=True, metadata=about("A registered orchestrator, or one that was ever credited.")
    )
    amount = Amount(signed=True, required=True, metadata=about("In ETH; negative: reduces the balance."))
    reference = Text(1, 128, required=True, metadata=about("Your name for it; the idempotency key."))
    note = Text(1, 500, required=True, metadata=about("Reason."))


class PayoutSchema(Schema):
    """A payment that was made. Unknown fields are refused."""

    class Meta:
        unknown = RAISE

    orchestrator_id = Text(
        1, 128, required=True, metadata=about("A registered orchestrator, or one that was ever credited.")
    )
    amount = Amount(required=True, metadata=about("In ETH; at most what is owed."))
    tx_hash = Canonical(
        canonical_tx_hash,
        {"pattern": f"^{TX_HASH}$"},
        required=True,
        metadata=about("Hash of the transaction; the idempotency key."),
    )
    note = Text(1, 500, load_default=None, allow_none=True, metadata=about("A comment."))
