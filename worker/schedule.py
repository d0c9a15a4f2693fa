"""When jobs run, and how the watchdog learns that they finish."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from payments.errors import Unavailable

log = logging.getLogger(__name__)


class Job(NamedTuple):
    """A repeated job.

    Attributes:
        every_s: seconds between starts. A longer run delays the next one; runs do not pile up.
        longest_s: a longer run counts as hanging; ``None``: no limit, and the watchdog does not wait for this job.
    """

    name: str
    run: Callable[[], None]
    every_s: float
    longest_s: float | None


class Schedule:
    """Runs jobs, each in a thread of its own.

    Calls ``finished`` after each run of a job with a limit, unless one of those jobs hangs. No amount depends on how
    often a job ran.
    """

    def __init__(self, jobs: list[Job], finished: Callable[[], None]) -> None:
        # It logs every run, and every run skipped because the last one is not over.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._jobs = jobs
        self._finished = finished
        self._one_at_a_time = threading.Lock()
        self._finished_at_s = {job.name: time.monotonic() for job in jobs}
        # In the background: the main thread waits for signals.
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(len(jobs))},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    @property
    def quiet_s(self) -> float:
        """How long, in seconds, ``finished`` may stay uncalled while all is well."""
        return min(job.every_s + (job.longest_s or 0) for job in self._jobs if job.longest_s is not None)

    def start(self) -> None:
        """Run every job now, and then regularly."""
        for job in self._jobs:
            self._scheduler.add_job(
                self._run, "interval", [job], seconds=job.every_s, id=job.name, next_run_time=datetime.now(UTC)
            )
        self._scheduler.start()

    def restart(self) -> None:
        """Run every job now. Jobs are planned by the system's clock; after a step back they would all wait for it."""
        for job in self._scheduler.get_jobs():
            job.modify(next_run_time=datetime.now(UTC))

    def stop(self) -> None:
        """Start no more runs, and return when the current ones have ended."""
        self._scheduler.shutdown(wait=True)

    def _run(self, job: Job) -> None:
        try:
            job.run()
        except Unavailable as error:
            # The next run tries again; a restart would not help.
            log.error("%s: %s", job.name, error)  # noqa: TRY400  (the message has the remedy; a traceback would not help)
        self._finished_at_s[job.name] = time.monotonic()
        with self._one_at_a_time:
            if job.longest_s is not None and not any(self._hangs(each) for each in self._jobs):
                self._finished()

    def _hangs(self, job: Job) -> bool:
        if job.longest_s is None:
            return False
        return time.monotonic() - self._finished_at_s[job.name] > 2 * job.every_s + job.longest_s
