"""What a supervisor asks. Open to anyone, so it names no paths but in what it complains of."""

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
    """503 when an event could not be recorded now.

    With a broken ``registry.json`` it could, by the last good one, and without a worker too: then it is ``degraded``.
    """
    here = services()
    store = here.store.check()
    count, problem = len(here.registry.records()), here.registry.problem
    registry = {"orchestrators": count, "problem": problem}
    worker = worker_health(here)
    is_well = problem is None and worker["problem"] is None
    return {"status": "ok" if is_well else "degraded", "store": store, "registry": registry, "worker": worker}
