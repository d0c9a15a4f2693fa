"""Entries and balances."""

from typing import Any

from flask import Blueprint, request

from payments.domain.records import balance_record, entry_record
from payments.store import Query
from payments.web.schemas import EntriesQuery
from payments.web.services import services

blueprint = Blueprint("ledger", __name__, url_prefix="/api/ledger")


@blueprint.get("/events")
def get_entries() -> dict[str, Any]:
    here = services()
    here.gate.admit_viewer(request)
    wanted = EntriesQuery().load(request.args)
    before, limit = wanted.pop("cursor", None), wanted.pop("limit")
    page = here.store.entries(Query(**wanted), before=before, limit=limit)
    return {
        "events": [entry_record(entry) for entry in page.entries],
        "next_cursor": None if page.before is None else str(page.before),
    }


@blueprint.get("/balances")
def get_balances() -> dict[str, Any]:
    here = services()
    here.gate.admit_viewer(request)
    balances = sorted(here.store.view().balances.values())
    return {"balances": [balance_record(balance, here.settings.credit_unit) for balance in balances]}
