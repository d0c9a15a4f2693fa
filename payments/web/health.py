"""What a supervisor asks. Open to anyone, so it names no paths but in what it complains of."""

from typing import Any

from flask import Blueprint

from payments.web.services import services

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def alive() -> dict[str, str]:
    return {"status": "ok"}


@blueprint.get("/readyz")
def ready() -> dict[str, Any]:
    """503 when an event could not be recorded now; with a broken ``registry.json`` it could, by the last good one."""
    here = services()
    store = here.store.check()
    count, problem = len(here.registry.records()), here.registry.problem
    registry = {"orchestrators": count, "problem": problem}
    return {"status": "ok" if problem is None else "degraded", "store": store, "registry": registry}
