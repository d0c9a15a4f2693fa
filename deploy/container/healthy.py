"""``healthy.py api`` or ``healthy.py worker``: exits with 0 if it does its work here, else with 1, saying why not.

For the health check of a container, in the folder and with the environment of the process that it asks about.
"""

import socket
import sys
from http.client import HTTPConnection, HTTPException

from payments.clock import now_ms
from payments.domain.times import format_time
from payments.duty import read_report
from payments.errors import Misconfigured
from payments.settings import Settings

_TIMEOUT_S = 5


def api(settings: Settings) -> str | None:
    """What keeps the API from recording an event now; ``None``: nothing."""
    connection = HTTPConnection("localhost")
    try:
        connection.sock = _connected(settings.bind)
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        said = answer.read().decode(errors="replace").strip()
    except (OSError, HTTPException) as error:
        return f"{settings.bind}: {error}"
    finally:
        connection.close()
    return None if answer.status == 200 else f"{settings.bind}: {answer.status} {said}"


def worker(settings: Settings) -> str | None:
    """What is wrong with the worker on duty; ``None``: nothing."""
    report = read_report(settings.ledger_journal_path)
    if report is None:
        return "no worker has run yet"
    return None if now_ms() <= report.due_ms else f"the worker is silent since {format_time(report.at_ms)}"


def _connected(bind: str) -> socket.socket:
    """A connection to what listens at ``bind``, a value of PAYMENTS_BIND."""
    if not bind.startswith("unix:"):
        host, _, port = bind.rpartition(":")
        return socket.create_connection((host.strip("[]"), int(port)), _TIMEOUT_S)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_TIMEOUT_S)
    connection.connect(bind.removeprefix("unix:"))
    return connection


if __name__ == "__main__":
    try:
        sys.exit({"api": api, "worker": worker}[sys.argv[1]](Settings.load()))
    except Misconfigured as error:
        sys.exit(str(error))
