"""Notifies systemd about the API: ``alive.py BIND``, run as a child of gunicorn's master.

gunicorn reports READY before a worker is up, and never pings the watchdog. This process reports READY once ``/readyz``
is 200. It pings the watchdog whenever a worker answers ``/healthz`` and the master has run since the last ping. It is a
separate process because the master forks, so it must have no threads.
"""

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from payments.notify import notify, watchdog_s
from payments.probe import trouble

_POLL_S = 0.2
_MASTER_WAKES_EVERY_S = 1.0
_MAX_PAUSE_S = 10.0
_READY_TIMEOUT_S = 10.0


class _Orphaned(Exception):
    """The master has ended, so this process must end too."""


def report(bind: str, master: int, watchdog_limit_s: float | None) -> None:
    """Notify systemd when the API at ``bind`` is ready; then ping the watchdog, if there is a ``watchdog_limit_s``.

    ``master`` is the pid of gunicorn's master. Raises ``_Orphaned`` when it has ended.
    """
    while trouble(bind, "/readyz", _READY_TIMEOUT_S):
        _pause(_POLL_S, master)
    notify("READY=1", "STATUS=recording")
    if watchdog_limit_s is None:
        return
    while True:
        has_run = _watch(master)
        _pause(max(_MASTER_WAKES_EVERY_S * 1.5, min(_MAX_PAUSE_S, watchdog_limit_s / 4)), master)
        # A long time-out: an overloaded server is slow, not dead.
        if not trouble(bind, "/healthz", watchdog_limit_s / 2) and has_run():
            notify("WATCHDOG=1")


def _pause(seconds: float, master: int) -> None:
    until_s = time.monotonic() + seconds
    while (left_s := until_s - time.monotonic()) > 0:
        if os.getppid() != master:
            raise _Orphaned
        time.sleep(min(_POLL_S, left_s))


def _watch(master: int) -> Callable[[], bool]:
    """Returns a check whether ``master`` has run since. It wakes up every second unless it hangs or is stopped."""

    def context_switches() -> str:
        lines = Path(f"/proc/{master}/status").read_text().splitlines()
        return next(line for line in lines if line.startswith("voluntary_ctxt_switches:"))

    before = context_switches()
    return lambda: context_switches() != before


if __name__ == "__main__":
    with suppress(_Orphaned, FileNotFoundError, KeyboardInterrupt):
        report(sys.argv[1], os.getppid(), watchdog_s())
