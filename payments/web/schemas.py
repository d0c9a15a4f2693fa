"""What requests may say."""

from marshmallow import EXCLUDE, RAISE, Schema, fields, validate

from payments.domain.ledger import TX_HASH, canonical_tx_hash
from payments.domain.sessions import STATUSES
from payments.fields import Amount, Canonical, Moment, Text, WholeText, about
from payments.registry import RecordSchema


class SessionsQuery(Schema):
    """Which sessions to list. Unknown parameters are ignored."""

    class Meta:
        unknown = EXCLUDE

    limit = WholeText(1, 2000, load_default=200, metadata=about("How many at most."))
    cursor = fields.String(metadata=about("The `next_cursor` of the page before."))
    orchestrator_id = fields.String(metadata=about("Of this one only."))
    edge_id = fields.String(metadata=about("Of this edge only."))
    status = fields.String(validate=validate.OneOf(STATUSES), metadata=about("Of this status only."))
    active_only = fields.Boolean(
        load_default=False, metadata=about("Leave out those that have ended; usually `true` or `false`.")
    )


class EntriesQuery(Schema):
    """Which entries to list. Unknown parameters are ignored."""

    class Meta:
        unknown = EXCLUDE

    limit = WholeText(1, 2000, load_default=200, metadata=about("How many at most."))
    cursor = fields.String(metadata=about("The `next_cursor` of the page before."))
    orchestrator_id = fields.String(metadata=about("Of this one only."))
    reason = fields.String(metadata=about("For this reason only."))
    session_id = fields.String(metadata=about("Of this session only."))
    since = Moment(attribute="since_ms", metadata=about("Recorded then or later."))
    until = Moment(attribute="until_ms", metadata=about("Recorded before."))


class StatsQuery(Schema):
    """Which days to sum up. Unknown parameters are ignored."""

    class Meta:
        unknown = EXCLUDE

    days = WholeText(1, 3660, load_default=30, metadata=about("How many days, today included."))
    cursor = fields.String(metadata=about("The `next_cursor` of the answer before, with the same `days`."))


class ChangeSchema(RecordSchema):
    """Changes to an orchestrator's record; its id is in the path."""

    class Meta:
        unknown = RAISE
        exclude = ("orchestrator_id",)


class AdjustmentSchema(Schema):
    """A correction of a balance; unknown fields are refused, for they are most likely mistyped."""

    class Meta:
        unknown = RAISE

    orchestrator_id = Text(1, 128, required=True, metadata=about("One that is registered, or was ever credited."))
    amount = Amount(signed=True, required=True, metadata=about("ETH; with a minus it takes away."))
    reference = Text(1, 128, required=True, metadata=about("Your name for it: the idempotency key."))
    note = Text(1, 500, required=True, metadata=about("Why."))


class PayoutSchema(Schema):
    """A payment that was made; unknown fields are refused."""

    class Meta:
        unknown = RAISE

    orchestrator_id = Text(1, 128, required=True, metadata=about("One that is registered, or was ever credited."))
    amount = Amount(required=True, metadata=about("ETH; not more than is owed."))
    tx_hash = Canonical(
        canonical_tx_hash,
        {"pattern": f"^{TX_HASH}$"},
        required=True,
        metadata=about("The transaction that paid it: the idempotency key."),
    )
    note = Text(1, 500, load_default=None, allow_none=True, metadata=about("What there is to say about it."))
