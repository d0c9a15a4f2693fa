"""A worker with another clock, or one that dies: ``python -m tests.worker.launcher CLOCK_FILE [DIES_AFTER_S]``.

``CLOCK_FILE`` has the offset of the system's clock in seconds, and may change at any time. It applies to everything
that reads that clock: readings, entries, the schedule of jobs, and the detection of clock steps. The worker kills
itself ``DIES_AFTER_S`` after starting its first jobs.
"""

import os
import signal
import sys
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import apscheduler.schedulers.base
import apscheduler.triggers.interval

import payments.clock
import payments.store
import worker.schedule
import worker.service
from worker.__main__ import main

CLOCK_FILE = Path(sys.argv[1])


def off_s() -> float:
    try:
        return float(CLOCK_FILE.read_text())
    except (OSError, ValueError):
        # The file is being written.
        return off_s()


def now_ms() -> int:
    return payments.clock.now_ms() + round(off_s() * 1000)


class Off(datetime):
    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + timedelta(seconds=off_s())


def die_after(seconds: float) -> None:
    time.sleep(seconds)
    os.kill(os.getpid(), signal.SIGKILL)


shown = SimpleNamespace(time=lambda: time.time() + off_s(), monotonic=time.monotonic, monotonic_ns=time.monotonic_ns)
instead: list[tuple[Any, str, Any]] = [
    (payments.store, "now_ms", now_ms),
    (worker.service, "now_ms", now_ms),
    (worker.service, "time", shown),
    (worker.schedule, "datetime", Off),
    (apscheduler.schedulers.base, "datetime", Off),
    (apscheduler.triggers.interval, "datetime", Off),
]
for module, name, value in instead:
    setattr(module, name, value)

if len(sys.argv) > 2:
    begin = worker.schedule.Schedule.start

    def begin_and_die(schedule: worker.schedule.Schedule) -> None:
        threading.Thread(target=die_after, args=[float(sys.argv[2])], daemon=True).start()
        begin(schedule)

    worker.schedule.Schedule.start = begin_and_die  # type: ignore[assignment,method-assign]

sys.exit(main([]))
