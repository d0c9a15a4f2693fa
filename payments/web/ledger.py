"""Entries, balances, adjustments and payouts."""

from typing import Any

from flask import Blueprint, request

from payments.domain.ledger import Adjustment, Booking, Payout
from payments.domain.money import format_eth
from payments.domain.records import balance_record, entry_record
from payments.errors import Rejected
from payments.store import EntryQuery
from payments.web.body import read_json
from payments.web.schemas import AdjustmentSchema, EntriesQuery, PayoutSchema
from payments.web.services import services

blueprint = Blueprint("ledger", __name__, url_prefix="/api/ledger")


@blueprint.get("/events")
def get_entries() -> dict[str, Any]:
    app = services()
    app.gate.admit_viewer(request)
    query = EntriesQuery().load(request.args)
    before, limit = query.pop("cursor", None), query.pop("limit")
    page = app.store.entries(EntryQuery(**query), before=before, limit=limit)
    return {
        "events": [entry_record(entry) for entry in page.items],
        "next_cursor": page.before,
    }


@blueprint.get("/balances")
def get_balances() -> dict[str, Any]:
    app = services()
    app.gate.admit_viewer(request)
    return {"balances": [balance_record(balance, app.settings.credit_unit) for balance in app.store.balances()]}


@blueprint.post("/adjustments")
def post_adjustment() -> dict[str, Any]:
    app = services()
    app.gate.admit_admin(request)
    fields = AdjustmentSchema().load(read_json(request))
    return _book(Adjustment(fields["orchestrator_id"], fields["amount"], fields["reference"], fields["note"]))


@blueprint.post("/payouts")
def post_payout() -> dict[str, Any]:
    app = services()
    app.gate.admit_admin(request)
    fields = PayoutSchema().load(read_json(request))
    return _book(Payout(fields["orchestrator_id"], fields["amount"], fields["tx_hash"], fields["note"]))


def _book(command: Booking) -> dict[str, Any]:
    """Book ``command``; the answer has the balance after it, and the entry that booked it, now or the first time."""
    app = services()
    app.check_orchestrator(command.orchestrator_id)
    result = app.store.execute([command])[0]
    if isinstance(result, Rejected):
        raise result
    booked = result.balance.booked[command.key]
    return {
        **balance_record(result.balance, app.settings.credit_unit),
        "outcome": result.kind,
        "delta": format_eth(booked.delta_wei),
        "booked_by": booked.seq,
    }
