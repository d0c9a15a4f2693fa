"""One round of readings over all orchestrators: ask them all at once, record what they say as one group."""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Event
from typing import NamedTuple

from payments.domain.decisions import RECORDED, Outcome
from payments.domain.money import format_eth
from payments.domain.readings import AWAKE, UNKNOWN, Reading
from payments.duty import SweepReport
from payments.registry import Registry
from payments.settings import Settings
from payments.store import Store
from worker.dial import BoundedAdapter
from worker.power import ask, power_url

log = logging.getLogger(__name__)


class _Target(NamedTuple):
    orchestrator_id: str
    url: str


class Sweeper:
    """Takes the readings. One sweep at a time (the caller's care)."""

    def __init__(
        self, settings: Settings, store: Store, registry: Registry, now_ms: Callable[[], int], stopping: Event
    ) -> None:
        """``stopping``, once set, ends a sweep early; it records nothing then."""
        self._settings = settings
        self._store = store
        self._registry = registry
        self._now_ms = now_ms
        self._stopping = stopping
        self._threads = ThreadPoolExecutor(settings.power_concurrency, "power")

    @property
    def longest_s(self) -> float:
        """A sweep never takes longer than this, whatever the hosts do; recording comes on top."""
        return self._asking_s + 2 * self._settings.power_timeout_s

    @property
    def _asking_s(self) -> float:
        """For so long hosts are asked; who is not asked by then has its turn first in the next sweep."""
        return max(self._settings.power_poll_s, self._settings.power_timeout_s)

    def sweep(self) -> SweepReport | None:
        """Ask everybody and record it; ``None`` if the process is to stop. Raises ``Unavailable`` and ``Corrupt``."""
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
        report = SweepReport(
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
                "%d orchestrators were not asked within %g s; raise PAYMENTS_POWER_CONCURRENCY (%d) or "
                "PAYMENTS_POWER_POLL_SECONDS", report.left_out, self._asking_s, self._settings.power_concurrency,
            )  # fmt: skip
        return report

    def close(self) -> None:
        """End the threads as soon as what they ask is answered or given up."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _targets(self) -> list[_Target]:
        """Whom to ask: those that answered last time first, so that no number of dead hosts keeps them waiting.

        The others after them, whoever was asked longest ago first, so that each has its turn.
        """
        power = self._store.view().power
        urls = {
            record.orchestrator_id: power_url(record, self._settings.power_port)
            for record in self._registry.records().values()
            if record.enabled
        }

        def turn(target: _Target) -> tuple[bool, int]:
            last = power.get(target.orchestrator_id)
            return (last is None or last.state == UNKNOWN, last.read_at_ms if last else 0)

        return sorted((_Target(name, url) for name, url in urls.items() if url is not None), key=turn)

    def _ask_all(self, targets: Sequence[_Target], begun_s: float) -> list[Reading]:
        """A reading of each that was asked in time; ``unknown`` of those that even then have not given an answer."""
        adapter = BoundedAdapter(pool_connections=max(1, len(targets)), pool_maxsize=1)
        asking = [(target, self._threads.submit(self._ask, adapter, target, begun_s)) for target in targets]
        done = wait([answer for _, answer in asking], timeout=self.longest_s).done
        readings = []
        for target, answer in asking:
            if answer in done:
                readings.append(_result(answer, target, self._now_ms))
            elif not answer.cancel():
                # Only the look-up of its name can take that long.
                readings.append(Reading(target.orchestrator_id, UNKNOWN, self._now_ms(), "no answer in time"))
        adapter.close()
        return [reading for reading in readings if reading is not None]

    def _ask(self, adapter: BoundedAdapter, target: _Target, begun_s: float) -> Reading | None:
        if self._stopping.is_set() or time.monotonic() - begun_s > self._asking_s:
            return None
        answer = ask(adapter, target.url, self._settings.power_timeout_s)
        return Reading(target.orchestrator_id, answer.state, self._now_ms(), answer.detail)


def _result(answer: Future[Reading | None], target: _Target, now_ms: Callable[[], int]) -> Reading | None:
    try:
        return answer.result()
    except Exception:
        # A defect of ours that one host brings about must not cost the others their reading.
        log.exception("asking %s failed", target.orchestrator_id)
        return Reading(target.orchestrator_id, UNKNOWN, now_ms(), "a defect in Payments; its log has more")
