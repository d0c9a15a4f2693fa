"""``/api/power``: power readings."""

from typing import Any

from flask import Blueprint, request

from payments.domain.records import power_record
from payments.web.services import services

blueprint = Blueprint("power", __name__, url_prefix="/api/power")


@blueprint.get("")
def get_power() -> dict[str, Any]:
    """The last reading of each orchestrator ever asked, what its power earned, and its unpaid time."""
    app = services()
    app.gate.admit_viewer(request)
    now_ms, max_gap_ms = app.now_ms(), app.settings.power_max_gap_s * 1000
    return {
        "power": [
            {**power_record(power), "is_fresh": now_ms - power.read_at_ms <= max_gap_ms} for power in app.store.powers()
        ]
    }
