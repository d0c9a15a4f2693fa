"""Orchestrator records."""

from typing import Any

from flask import Blueprint, request

from payments.errors import Rejected
from payments.registry import RecordSchema
from payments.web.body import read_json
from payments.web.schemas import ChangeSchema, StatsQuery
from payments.web.services import services
from payments.web.stats import first_day_ms, sum_up

blueprint = Blueprint("orchestrators", __name__, url_prefix="/api/orchestrators")


@blueprint.post("/register")
def register() -> tuple[dict[str, Any], int]:
    app = services()
    app.gate.admit_admin(request)
    record, is_new = app.registry.register(RecordSchema().load(read_json(request)))
    return record.as_json(), 201 if is_new else 200


@blueprint.patch("/<orchestrator_id>")
def change(orchestrator_id: str) -> dict[str, Any]:
    app = services()
    app.gate.admit_admin(request)
    return app.registry.change(orchestrator_id, ChangeSchema().load(read_json(request))).as_json()


@blueprint.get("")
def get_all() -> dict[str, Any]:
    app = services()
    app.gate.admit_viewer(request)
    return {"orchestrators": [record.as_json() for record in app.registry.records().values()]}


@blueprint.get("/<orchestrator_id>")
def get_one(orchestrator_id: str) -> dict[str, Any]:
    app = services()
    app.gate.admit_viewer(request)
    record = app.registry.records().get(orchestrator_id)
    if record is None:
        raise Rejected("not-found", f'no orchestrator "{orchestrator_id}" is registered')
    return record.as_json()


@blueprint.get("/<orchestrator_id>/stats")
def get_stats(orchestrator_id: str) -> dict[str, Any]:
    app = services()
    app.gate.admit_viewer(request)
    query = StatsQuery().load(request.args)
    app.check_orchestrator(orchestrator_id)
    since_ms = first_day_ms(app.now_ms(), query["days"])
    return sum_up(app.store, orchestrator_id, since_ms, query.get("cursor"))
