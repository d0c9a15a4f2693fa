"""The worker's health, for probes and metrics."""

from typing import Any

from payments.domain.times import format_time
from payments.web.services import Services
from payments.worker_status import read_status


def worker_health(app: Services) -> dict[str, Any]:
    """When the worker was last seen, its last sweep, and its ``problem`` or ``None``."""
    now_ms, status = app.now_ms(), read_status(app.engine)
    if status is None:
        problem = (
            "PAY-W07 no worker has run yet; the power meter needs one" if app.settings.power_meter_enabled else None
        )
        return {"seen_at": None, "sweep": None, "problem": problem}
    problem = None
    if now_ms > status.due_ms:
        problem = f"PAY-W07 the worker is silent since {format_time(status.at_ms)}; is payments-worker running?"
    sweep = status.sweep and {
        "ended_at": format_time(status.sweep.at_ms),
        "age_s": max(0, now_ms - status.sweep.at_ms) / 1000,
        **{name: value for name, value in status.sweep._asdict().items() if name != "at_ms"},
    }
    return {"seen_at": format_time(status.at_ms), "sweep": sweep, "problem": problem}
