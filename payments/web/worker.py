"""How the worker fares, as a probe and a scrape want to know it."""

from typing import Any

from payments.domain.times import format_time
from payments.web.services import Services
from payments.worker_status import read_status


def worker_health(here: Services) -> dict[str, Any]:
    """When the worker last showed itself, its last sweep, and what is wrong with it (``problem``, else ``None``)."""
    now_ms, status = here.now_ms(), read_status(here.engine)
    if status is None:
        problem = (
            "PAY-W07 no worker has run yet; the power meter needs one" if here.settings.power_meter_enabled else None
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
