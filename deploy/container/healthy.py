"""Health check of a container: ``healthy.py api`` or ``healthy.py worker``.

Exits with 0 if the process works, else with 1 and the reason. Run it in the folder and environment of that process.
"""

import sys

from payments.clock import now_ms
from payments.domain.times import format_time
from payments.errors import Misconfigured
from payments.probe import trouble
from payments.settings import Settings
from payments.store import engine_of
from payments.worker_status import read_status


def api(settings: Settings) -> str | None:
    """Why the API cannot record an event now; ``None`` if it can."""
    return trouble(settings.bind, "/readyz", timeout_s=5)


def worker(settings: Settings) -> str | None:
    """What is wrong with the worker on duty; ``None`` if nothing is."""
    status = read_status(engine_of(settings))
    if status is None:
        return "no worker has run yet"
    return None if now_ms() <= status.due_ms else f"the worker is silent since {format_time(status.at_ms)}"


if __name__ == "__main__":
    try:
        sys.exit({"api": api, "worker": worker}[sys.argv[1]](Settings.load()))
    except Misconfigured as error:
        sys.exit(str(error))
