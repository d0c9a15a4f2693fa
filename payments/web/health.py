"""Liveness and readiness. Open to anyone, so answers name paths only in problems."""

from typing import Any

from flask import Blueprint

from payments.web.services import services
from payments.web.worker import worker_health

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def alive() -> dict[str, str]:
    return {"status": "ok"}


@blueprint.get("/readyz")
def ready() -> dict[str, Any]:
    """503 if an event could not be recorded now.

    ``degraded`` if one could, but ``registry.json`` is broken (the last good records are used) or the worker is silent.
    """
    app = services()
    store = app.store.check()
    count = len(app.registry.records())
    problem = app.registry.problem and f"PAY-R01 {app.registry.problem}"
    registry = {"orchestrators": count, "problem": problem}
    worker = worker_health(app)
    is_well = problem is None and worker["problem"] is None
    return {"status": "ok" if is_well else "degraded", "store": store, "registry": registry, "worker": worker}
