"""Tells systemd how the API fares: ``alive.py BIND``, a child of gunicorn's master.

gunicorn calls itself ready before a worker is up, and never gives the sign of life that a watchdog waits for. Here it
is ready when ``/readyz`` says so, and a sign of life is sent when a worker has answered ``/healthz`` and the master has
moved since the last one. A process of its own, because the master forks and so must have no threads.
"""

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from payments.notify import notify, watchdog_s
from payments.probe import trouble

_OFTEN_S = 0.2
_MASTER_MOVES_EVERY_S = 1.0
_LONGEST_PAUSE_S = 10.0
_READY_WITHIN_S = 10.0


class _Orphaned(Exception):
    """The master has ended, and with it the reason to be here."""


def accompany(bind: str, master: int, limit_s: float | None) -> None:
    """Say when the API at ``bind`` is ready, and then, where ``limit_s`` is given, that it is alive.

    Raises ``_Orphaned``.
    """
    while trouble(bind, "/readyz", _READY_WITHIN_S):
        _pause(_OFTEN_S, master)
    notify("READY=1", "STATUS=recording")
    if limit_s is None:
        return
    while True:
        moved = _moves(master)
        _pause(max(_MASTER_MOVES_EVERY_S * 1.5, min(_LONGEST_PAUSE_S, limit_s / 4)), master)
        # Slow is not dead: under more load than it can bear, it takes its time for this as for everything.
        if not trouble(bind, "/healthz", limit_s / 2) and moved():
            notify("WATCHDOG=1")


def _pause(seconds: float, master: int) -> None:
    until_s = time.monotonic() + seconds
    while (left_s := until_s - time.monotonic()) > 0:
        if os.getppid() != master:
            raise _Orphaned
        time.sleep(min(_OFTEN_S, left_s))


def _moves(master: int) -> Callable[[], bool]:
    """Asks whether ``master`` has run since: it wakes up every second, unless it hangs or is stopped."""

    def turns() -> str:
        lines = Path(f"/proc/{master}/status").read_text().splitlines()
        return next(line for line in lines if line.startswith("voluntary_ctxt_switches:"))

    before = turns()
    return lambda: turns() != before


if __name__ == "__main__":
    with suppress(_Orphaned, FileNotFoundError, KeyboardInterrupt):
        accompany(sys.argv[1], os.getppid(), watchdog_s())
