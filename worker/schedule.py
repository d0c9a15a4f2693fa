"""When the worker's jobs run, and what others hear of it."""

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
    """What is done again and again.

    Attributes:
        every_s: from one begin to the next; a run that takes longer makes the next ones late, and no more of them.
        longest_s: a run that takes longer hangs; ``None``: it may take as long as it likes, and nobody hears of it.
    """

    name: str
    run: Callable[[], None]
    every_s: float
    longest_s: float | None


class Schedule:
    """Runs jobs, each in a thread of its own.

    Calls ``finished`` behind every run of a job that may hang, while none of them does.

    Nothing that is owed depends on how often a job ran.
    """

    def __init__(self, jobs: list[Job], finished: Callable[[], None]) -> None:
        # It logs every run of every job, and every one that is left out because the last one goes on.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._jobs = jobs
        self._finished = finished
        self._one_at_a_time = threading.Lock()
        self._last_s = {job.name: time.monotonic() for job in jobs}
        # Not the blocking one: the main thread waits for signals, and for the clock.
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(len(jobs))},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    @property
    def quiet_s(self) -> float:
        """For so long ``finished`` may not be called although all is well."""
        return min(job.every_s + (job.longest_s or 0) for job in self._jobs if job.longest_s is not None)

    def start(self) -> None:
        """Run every job now, and then at its times."""
        for job in self._jobs:
            self._scheduler.add_job(
                self._run, "interval", [job], seconds=job.every_s, id=job.name, next_run_time=datetime.now(UTC)
            )
        self._scheduler.start()

    def begin_anew(self) -> None:
        """Run every job now. The system's clock plans them; when that steps back, they would all wait for it."""
        for job in self._scheduler.get_jobs():
            job.modify(next_run_time=datetime.now(UTC))

    def stop(self) -> None:
        """Returns when what runs has ended; nothing begins any more."""
        self._scheduler.shutdown(wait=True)

    def _run(self, job: Job) -> None:
        try:
            job.run()
        except Unavailable as error:
            # It is tried again; to be started anew would not help it.
            log.error("%s: %s", job.name, error)  # noqa: TRY400  (what to do is in it; where it arose is not the reader's)
        self._last_s[job.name] = time.monotonic()
        with self._one_at_a_time:
            if job.longest_s is not None and not any(self._hangs(each) for each in self._jobs):
                self._finished()

    def _hangs(self, job: Job) -> bool:
        if job.longest_s is None:
            return False
        return time.monotonic() - self._last_s[job.name] > 2 * job.every_s + job.longest_s
