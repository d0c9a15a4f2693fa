"""One round of readings: asks all hosts at once, and records the readings as one group."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Event
from typing import NamedTuple

from payments.domain.decisions import RECORDED, Outcome
from payments.domain.money import format_eth
from payments.domain.readings import AWAKE, UNKNOWN, Reading
from payments.registry import Registry
from payments.settings import Settings
from payments.store import Store
from payments.worker_status import SweepStatus
from worker.dial import BoundedAdapter
from worker.power import PowerAnswer, ask, power_url

log = logging.getLogger(__name__)


_POLL_S = 0.5
"""How often a waiting sweep checks whether to stop."""


class _Target(NamedTuple):
    """A host to ask; ``answered``: it answered the last time; ``read_at_ms``: when that was, 0 for never."""

    orchestrator_id: str
    url: str
    answered: bool
    read_at_ms: int


class _Turns:
    """Whose turn it is (rule 6.7): hosts that answered last time go first, so dead hosts never keep them waiting.

    Up to half of the threads ask the others from the beginning. Those are mostly dead: waiting for them takes no
    processor time, so both groups together take little longer than one.
    """

    def __init__(self, targets: Sequence[_Target], max_waiting: int) -> None:
        """``max_waiting``: at most this many of the others are waited for while hosts of the first group are left."""
        self._answered = deque(target for target in targets if target.answered)
        self._others = deque(target for target in targets if not target.answered)
        self._max_waiting = max_waiting
        self._waiting = 0
        self._being_asked: set[_Target] = set()
        self._lock = threading.Lock()

    @contextmanager
    def turn(self) -> Iterator[_Target]:
        """Take the next host, which must exist, and hold it as being asked."""
        with self._lock:
            is_others = bool(self._others) and (not self._answered or self._waiting < self._max_waiting)
            target = (self._others if is_others else self._answered).popleft()
            self._being_asked.add(target)
            self._waiting += is_others
        try:
            yield target
        finally:
            with self._lock:
                self._being_asked.remove(target)
                self._waiting -= is_others

    def being_asked(self) -> list[_Target]:
        """The hosts that are being asked."""
        with self._lock:
            return list(self._being_asked)


class Sweeper:
    """Takes the readings. Not thread-safe: callers must run one sweep at a time."""

    def __init__(
        self, settings: Settings, store: Store, registry: Registry, now_ms: Callable[[], int], stopping: Event
    ) -> None:
        """``stopping``, once set, ends a sweep early, with nothing recorded."""
        self._settings = settings
        self._store = store
        self._registry = registry
        self._now_ms = now_ms
        self._stopping = stopping
        self._threads = ThreadPoolExecutor(settings.power_concurrency, "power")

    @property
    def longest_s(self) -> float:
        """Upper bound for a sweep in seconds, without the recording."""
        return self._asking_s + 2 * self._settings.power_timeout_s

    @property
    def _asking_s(self) -> float:
        """Time budget for asking. Hosts not reached in time go first in the next sweep."""
        return max(self._settings.power_poll_s, self._settings.power_timeout_s)

    def sweep(self) -> SweepStatus | None:
        """Ask all hosts, and record the readings; ``None`` if stopped. Raises ``Unavailable`` and ``Corrupt``."""
        begun_s = time.monotonic()
        targets = self._targets()
        readings = self._ask_all(targets, begun_s)
        if self._stopping.is_set():
            return None
        credited_wei = 0
        for result in self._store.execute(readings) if readings else ():
            if isinstance(result, Outcome) and result.kind == RECORDED and result.power.no_credit is None:
                credited_wei += result.power.last_credited_wei
        states = [reading.state for reading in readings]
        awake, unknown = states.count(AWAKE), states.count(UNKNOWN)
        report = SweepStatus(
            at_ms=self._now_ms(),
            seconds=round(time.monotonic() - begun_s, 3),
            asked=len(readings),
            awake=awake,
            asleep=len(readings) - awake - unknown,
            unknown=unknown,
            left_out=len(targets) - len(readings),
            credited_eth=format_eth(credited_wei),
        )
        log.info("sweep", extra=report._asdict())
        if report.left_out:
            log.warning(
                "PAY-W01 %d orchestrators were not asked within %g s; raise PAYMENTS_POWER_CONCURRENCY (%d) or "
                "PAYMENTS_POWER_POLL_SECONDS", report.left_out, self._asking_s, self._settings.power_concurrency,
            )  # fmt: skip
        return report

    def close(self) -> None:
        """Let the threads end as soon as their hosts answer or time out."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _targets(self) -> list[_Target]:
        """The hosts to ask, those asked longest ago first."""
        known = {power.orchestrator_id: power for power in self._store.powers()}
        urls = {
            record.orchestrator_id: power_url(record, self._settings.power_port)
            for record in self._registry.records().values()
            if record.enabled
        }

        def target(name: str, url: str) -> _Target:
            last = known.get(name)
            return _Target(name, url, last is not None and last.state != UNKNOWN, last.read_at_ms if last else 0)

        targets = [target(name, url) for name, url in urls.items() if url is not None]
        return sorted(targets, key=lambda each: each.read_at_ms)

    def _ask_all(self, targets: Sequence[_Target], begun_s: float) -> list[Reading]:
        """A reading of each host asked in time; ``unknown`` for those still silent at the end."""
        adapter = BoundedAdapter(pool_connections=max(1, len(targets)), pool_maxsize=1)
        turns = _Turns(targets, self._settings.power_concurrency // 2)
        late = {self._threads.submit(self._ask_next, adapter, turns, begun_s) for _ in targets}
        asked: set[Future[Reading | None]] = set()
        while late and not self._stopping.is_set() and time.monotonic() - begun_s < self.longest_s:
            done, late = wait(late, timeout=_POLL_S)
            asked |= done
        for unasked in late:
            unasked.cancel()
        readings = [reading for each in asked if (reading := each.result()) is not None]
        # Only name resolution can take that long.
        at_ms = self._now_ms()
        readings += [Reading(each.orchestrator_id, UNKNOWN, at_ms, "no answer in time") for each in turns.being_asked()]
        adapter.close()
        return sorted(readings, key=lambda reading: reading.read_at_ms)

    def _ask_next(self, adapter: BoundedAdapter, turns: _Turns, begun_s: float) -> Reading | None:
        if self._stopping.is_set() or time.monotonic() - begun_s > self._asking_s:
            return None
        with turns.turn() as target:
            try:
                answer = ask(adapter, target.url, self._settings.power_timeout_s)
            except Exception:
                # A defect that one host triggers must not cost the others their reading.
                log.exception("PAY-W06 asking %s failed", target.orchestrator_id)
                answer = PowerAnswer(UNKNOWN, "a defect in Payments; its log has more")
            return Reading(target.orchestrator_id, answer.state, self._now_ms(), answer.detail)
