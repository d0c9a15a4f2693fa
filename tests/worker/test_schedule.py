"""When jobs run, and what the log says about them."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from payments.errors import Unavailable
from tests.harness import until
from worker.schedule import Job, Schedule

QUICK_S = 0.05


class Count:
    """Number of calls."""

    def __init__(self, run: Callable[[], object] = lambda: None) -> None:
        self.count = 0
        self._run = run

    def __call__(self) -> None:
        self.count += 1
        self._run()

    def goes_on(self, times: int = 3) -> None:
        """Wait until it was called so many more times."""
        wanted = self.count + times
        until(lambda: self.count >= wanted, timeout_s=10)


@contextmanager
def scheduled(finished: Callable[[], None], *jobs: Job) -> Iterator[Schedule]:
    schedule = Schedule(list(jobs), finished)
    schedule.start()
    try:
        yield schedule
    finally:
        schedule.stop()


def test_every_job_runs_at_once_and_then_at_its_times() -> None:
    often, once, finished = Count(), Count(), Count()
    with scheduled(finished, Job("often", often, QUICK_S, 1), Job("once", once, 3600, 1)):
        often.goes_on()
        assert once.count == 1
    assert often.count + once.count == finished.count


def test_nothing_is_heard_while_a_job_hangs() -> None:
    """Then the service manager kills the process, even if other jobs are healthy."""
    release = threading.Event()
    hangs, works, finished = Count(lambda: release.wait(10)), Count(), Count()
    with scheduled(finished, Job("hangs", hangs, QUICK_S, QUICK_S), Job("works", works, QUICK_S, 1)):
        works.goes_on(12)
        heard = finished.count
        works.goes_on(5)
        assert (finished.count, hangs.count) == (heard, 1)
        release.set()
        finished.goes_on()


def test_a_job_that_may_take_as_long_as_it_likes_is_not_heard_of() -> None:
    often, finished = Count(), Count()
    with scheduled(finished, Job("often", often, QUICK_S, None), Job("once", Count(), 3600, 1)):
        often.goes_on(5)
    assert finished.count == 1


def test_a_job_that_may_take_as_long_as_it_likes_never_hangs() -> None:
    release = threading.Event()
    long, finished = Count(lambda: release.wait(10)), Count()
    with scheduled(finished, Job("long", long, QUICK_S, None), Job("works", lambda: None, QUICK_S, 1)):
        finished.goes_on(12)
        assert long.count == 1
        release.set()


def test_a_job_that_keeps_failing_hangs_and_the_others_go_on() -> None:
    def fail() -> None:
        raise ValueError

    fails, works, finished = Count(fail), Count(), Count()
    with scheduled(finished, Job("fails", fails, QUICK_S, QUICK_S), Job("works", works, QUICK_S, 1)):
        works.goes_on(12)
        heard = finished.count
        fails.goes_on()
        works.goes_on()
        assert finished.count == heard


def test_a_store_that_is_unavailable_is_logged_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """A restart would not help."""

    def fail() -> None:
        raise Unavailable("the disk is full")

    fails, finished = Count(fail), Count()
    with scheduled(finished, Job("sweep", fails, QUICK_S, QUICK_S)):
        fails.goes_on(12)
        finished.goes_on()
    assert "sweep: the disk is full" in caplog.messages
    assert all(record.exc_info is None for record in caplog.records)


def test_a_job_that_takes_longer_than_its_time_runs_once_at_a_time() -> None:
    running = threading.Semaphore(1)

    def run() -> None:
        assert running.acquire(blocking=False)
        time.sleep(3 * QUICK_S)
        running.release()

    job, finished = Count(run), Count()
    with scheduled(finished, Job("slow", job, QUICK_S, 10)):
        finished.goes_on()
    assert job.count == finished.count


def test_restart_runs_every_job_now() -> None:
    """Jobs are scheduled by the system's clock: if that steps back an hour, all are an hour away."""
    rare, finished = Count(), Count()
    with scheduled(finished, Job("rare", rare, 3600, 1)) as schedule:
        until(lambda: rare.count == 1)
        for times in (2, 3):
            schedule.restart()
            until(lambda: rare.count == times)  # noqa: B023


def test_stopping_waits_for_what_runs() -> None:
    ended = Count()

    def run() -> None:
        time.sleep(0.3)
        ended()

    job = Count(run)
    with scheduled(lambda: None, Job("slow", job, 3600, 1)):
        until(lambda: job.count == 1)
    assert ended.count == 1


def test_quiet_time_is_that_of_the_job_that_is_heard_of_most() -> None:
    jobs = [Job("sweep", Count(), 60, 66), Job("retention", Count(), 30, 120), Job("compression", Count(), 300, None)]
    assert Schedule(jobs, Count()).quiet_s == 126
