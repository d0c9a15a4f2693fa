"""How the worker fares, as a probe and a scrape want to know it."""

from typing import Any

from payments.domain.times import format_time
from payments.duty import read_report
from payments.settings import Settings


def worker_health(settings: Settings, now_ms: int) -> dict[str, Any]:
    """When the worker last showed itself, its last sweep, and what is wrong with it (``problem``, else ``None``)."""
    report = read_report(settings.ledger_journal_path)
    if report is None:
        problem = "no worker has run yet; the power meter needs one" if settings.power_meter_enabled else None
        return {"seen_at": None, "sweep": None, "problem": problem}
    problem = None
    if now_ms > report.due_ms:
        problem = f"the worker is silent since {format_time(report.at_ms)}; is payments-worker running?"
    sweep = report.sweep and {
        "ended_at": format_time(report.sweep.at_ms),
        "age_s": max(0, now_ms - report.sweep.at_ms) / 1000,
        **{name: value for name, value in report.sweep._asdict().items() if name != "at_ms"},
    }
    return {"seen_at": format_time(report.at_ms), "sweep": sweep, "problem": problem}
