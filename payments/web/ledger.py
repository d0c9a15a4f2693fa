"""Entries, balances, and what an operator books by hand."""

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
    here = services()
    here.gate.admit_viewer(request)
    wanted = EntriesQuery().load(request.args)
    before, limit = wanted.pop("cursor", None), wanted.pop("limit")
    page = here.store.entries(EntryQuery(**wanted), before=before, limit=limit)
    return {
        "events": [entry_record(entry) for entry in page.items],
        "next_cursor": page.before,
    }


@blueprint.get("/balances")
def get_balances() -> dict[str, Any]:
    here = services()
    here.gate.admit_viewer(request)
    return {"balances": [balance_record(balance, here.settings.credit_unit) for balance in here.store.balances()]}


@blueprint.post("/adjustments")
def post_adjustment() -> dict[str, Any]:
    here = services()
    here.gate.admit_admin(request)
    said = AdjustmentSchema().load(read_json(request))
    return _book(Adjustment(said["orchestrator_id"], said["amount"], said["reference"], said["note"]))


@blueprint.post("/payouts")
def post_payout() -> dict[str, Any]:
    here = services()
    here.gate.admit_admin(request)
    said = PayoutSchema().load(read_json(request))
    return _book(Payout(said["orchestrator_id"], said["amount"], said["tx_hash"], said["note"]))


def _book(command: Booking) -> dict[str, Any]:
    """Book it, and answer with the balance after it and the entry that did it, now or the first time."""
    here = services()
    here.check_orchestrator(command.orchestrator_id)
    result = here.store.execute([command])[0]
    if isinstance(result, Rejected):
        raise result
    booked = result.balance.booked[command.key]
    return {
        **balance_record(result.balance, here.settings.credit_unit),
        "outcome": result.kind,
        "delta": format_eth(booked.delta_wei),
        "booked_by": booked.seq,
    }
