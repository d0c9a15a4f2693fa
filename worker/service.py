"""The worker process: what it opens, its signals, and its lease."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

from payments.clock import now_ms
from payments.domain.money import format_eth
from payments.errors import Misconfigured
from payments.notify import notify, watchdog_s
from payments.registry import Registry
from payments.settings import Settings
from payments.store import Lease, Store, engine_of, open_store
from payments.worker_status import SweepStatus, WorkerStatus, worker_lease
from worker.reaper import close_and_purge
from worker.schedule import Job, Schedule
from worker.sweep import Sweeper

log = logging.getLogger(__name__)

SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}

_RETENTION_EVERY_S = 30
_RETENTION_LONGEST_S = 120
_MAINTAIN_EVERY_S = 300
_CLOCK_STEP_S = 1.0


class Worker:
    """The jobs of the worker, on the files that ``settings`` name.

    Attributes:
        stopping: once set, long work ends early, with nothing half done.
    """

    def __init__(self, settings: Settings, store: Store, registry: Registry, lease: Lease) -> None:
        self.stopping = threading.Event()
        self._settings = settings
        self._store = store
        self._lease = lease
        self._sweeper = Sweeper(settings, store, registry, now_ms, self.stopping)
        self._last_sweep: SweepStatus | None = None
        self._stands_by = False
        self._lease_lock = threading.Lock()
        retention_every_s = min(_RETENTION_EVERY_S, settings.session_reap_s or _RETENTION_EVERY_S)
        jobs = [
            Job("retention", self._on_duty(self._retention), retention_every_s, _RETENTION_LONGEST_S),
            Job("compression", self._on_duty(store.maintain), _MAINTAIN_EVERY_S, None),
        ]
        if settings.power_meter_enabled:
            jobs.append(Job("sweep", self._on_duty(self._sweep), settings.power_poll_s, self._sweeper.longest_s))
        self.schedule = Schedule(jobs, self._finished)

    def close(self) -> None:
        """Stop, and return when the current commit, if any, is done."""
        self.stopping.set()
        self.schedule.stop()
        self._sweeper.close()

    def _on_duty(self, run: Callable[[], None]) -> Callable[[], None]:
        """``run``, skipped while another worker has the lease (rule 6.8): two would ask every host twice."""

        def run_on_duty() -> None:
            with self._lease_lock:
                has_lease = self._lease.try_acquire()
                if has_lease == self._stands_by:
                    log.warning(
                        "PAY-W02 on duty" if has_lease else "PAY-W02 another worker is on duty; this one stands by"
                    )
                self._stands_by = not has_lease
            if has_lease and not self.stopping.is_set():
                run()

        return run_on_duty

    def _sweep(self) -> None:
        self._last_sweep = self._sweeper.sweep() or self._last_sweep

    def _retention(self) -> None:
        close_and_purge(self._store, self._settings, now_ms())
        self._store.refresh()

    def _finished(self) -> None:
        notify("WATCHDOG=1", f"STATUS={self._status()}")
        if self._stands_by:
            return
        at_ms = now_ms()
        due_ms = at_ms + round(2000 * self.schedule.quiet_s)
        try:
            self._lease.publish(WorkerStatus(os.getpid(), at_ms, due_ms, self._last_sweep).as_json())
        except OSError as error:
            log.warning("PAY-D12 what this worker does cannot be shown: %s", error)

    def _status(self) -> str:
        if self._stands_by:
            return "standing by: another worker is on duty"
        if self._last_sweep is None:
            return "closing lost sessions"
        return "{awake} awake, {asleep} asleep, {unknown} unknown".format(**self._last_sweep._asdict())


def serve(settings: Settings) -> Settings | None:
    """Work until a signal comes. Returns the new settings to go on with (SIGHUP), or ``None`` to stop.

    ``SIGNALS`` must be blocked in every thread. Raises ``Misconfigured``, ``Corrupt`` and ``Unavailable`` if it cannot
    start.
    """
    with ExitStack() as opened:
        registry = Registry(settings.registry_path, now_ms)
        store = open_store(settings, registry.attribution)
        opened.callback(store.close)
        lease = worker_lease(engine_of(settings))
        opened.callback(lease.close)
        worker = Worker(settings, store, registry, lease)
        opened.callback(worker.close)
        _log_start(settings, worker)
        # Before the first job: a job sends WATCHDOG=1, which must follow READY=1.
        notify("READY=1")
        worker.schedule.start()
        clock = threading.Thread(target=_watch_clock, args=(worker.schedule, worker.stopping), name="clock")
        clock.start()
        opened.callback(clock.join)
        opened.callback(worker.stopping.set)
        return _wait()


def _log_start(settings: Settings, worker: Worker) -> None:
    log.info(
        "started",
        extra={
            "power_meter": settings.power_meter_enabled,
            "power_eth_per_minute": format_eth(settings.power_rate_wei_per_minute),
            "session_eth_per_minute": format_eth(settings.session_rate_wei_per_minute),
        },
    )
    for warning in settings.warnings():
        log.warning(warning)
    limit_s = watchdog_s()
    if limit_s is not None and limit_s < worker.schedule.quiet_s:
        log.warning(
            "PAY-W05 WatchdogSec is %g s; with these settings it should be %g", limit_s, 2 * worker.schedule.quiet_s
        )


def _wait() -> Settings | None:
    """Wait for a signal; what ``serve`` returns."""
    while True:
        # Without a time-out: with one, Python returns a signal that nobody sent, if the process was stopped (SIGSTOP)
        # and the time-out is over when it continues.
        if signal.sigwait(SIGNALS) != signal.SIGHUP:
            notify("STOPPING=1")
            return None
        notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            return Settings.load()
        except Misconfigured as error:
            log.error("PAY-W04 the settings stay as they were: %s", error)  # noqa: TRY400
            notify("READY=1")


def _watch_clock(schedule: Schedule, ended: threading.Event) -> None:
    """Restart the jobs when the clock steps back."""
    ahead_s = time.time() - time.monotonic()
    while not ended.wait(_CLOCK_STEP_S):
        if time.time() - time.monotonic() < ahead_s - _CLOCK_STEP_S:
            log.warning("PAY-W03 the clock stepped back; time that was accounted for is not credited again")
            schedule.restart()
        ahead_s = time.time() - time.monotonic()
