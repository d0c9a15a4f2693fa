"""Sends the spool's events to Payments: in order, in batches, one batch at a time.

Unless a response is final, the events stay pending and are sent again after growing waits; Payments bills no moment
twice. If a batch is rejected as a whole, it is split, and in the end sent one by one to find the faulty event. Before
that, Payments must answer an empty batch: a server that rejects everything is not Payments, or the address is wrong.
"""

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

from payments.edge.backoff import Backoff, parse_retry_after_s
from payments.edge.client import NoAnswer, PaymentsClient, Reply
from payments.edge.events import SpooledEvent
from payments.edge.log_throttle import LogThrottle
from payments.edge.spool import Spool
from payments.edge.verdicts import (
    FailureCause,
    RetryLater,
    RetryStrategy,
    Settled,
    Verdict,
    is_payments,
    judge_batch,
    judge_event,
    judge_probe,
)

log = logging.getLogger(__name__)

MAX_EVENTS = 500
PACE_S = 0.2
"""Between batches: nginx in front of Payments allows five requests a second from an address."""

_EVENT, _BATCH = "/api/sessions/events", "/api/sessions/events/batch"


class _Outcome(NamedTuple):
    """Result of a call. ``retry_after_s``: how long Payments asked to wait, or ``None``."""

    verdict: Verdict
    retry_after_s: float | None = None


class Delivery:
    """Sends batch after batch. Not thread-safe; callers must serialise.

    Attributes:
        error: why delivery fails now; ``None`` while it works.
    """

    def __init__(
        self,
        spool: Spool,
        client: PaymentsClient,
        *,
        clock: Callable[[], int],
        monotonic: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self.error: str | None = None
        self._spool = spool
        self._client = client
        self._clock = clock
        self._backoff = Backoff(random)
        self._throttle = LogThrottle(monotonic)
        self._max_events = MAX_EVENTS
        self._one_by_one_left = 0
        self._is_payments_known = False

    def step(self, timeout_s: float = 30.0) -> float | None:
        """Send the next batch. Returns the seconds to wait before the next step; ``None``: nothing to send."""
        events = self._spool.batch(1 if self._one_by_one_left else self._max_events)
        if not events:
            return None
        done: Sequence[SpooledEvent] = ()
        dead_letters = []
        try:
            outcome = (
                self._send_one(events[0], timeout_s) if self._one_by_one_left else self._send_batch(events, timeout_s)
            )
            if isinstance(outcome.verdict, Settled):
                done, dead_letters = events[: outcome.verdict.number], outcome.verdict.dead_letters
        finally:
            self._spool.settle(events, done, dead_letters)
        return self._wait_s(outcome, len(events))

    def hurry(self) -> None:
        """Reset the backoff, because little time is left."""
        self._backoff.reset()

    def _send_batch(self, events: Sequence[SpooledEvent], timeout_s: float) -> _Outcome:
        body = b"[%b]" % b",".join([event.body() for event in events])
        return self._call(_BATCH, body, timeout_s, lambda answer: judge_batch(answer, events))

    def _send_one(self, event: SpooledEvent, timeout_s: float) -> _Outcome:
        if not self._is_payments_known:
            probe = self._call(
                _BATCH, b"[]", timeout_s, lambda answer: Settled(0, []) if is_payments(answer) else judge_probe(answer)
            )
            if not isinstance(probe.verdict, Settled):
                return probe
            self._is_payments_known = True
        return self._call(_EVENT, event.body(), timeout_s, lambda answer: judge_event(answer, event))

    def _call(self, path: str, body: bytes, timeout_s: float, judge: Callable[[Reply], Verdict]) -> _Outcome:
        try:
            answer = self._client.post(path, body, timeout_s)
        except NoAnswer as error:
            return _Outcome(RetryLater(FailureCause.UNAVAILABLE, str(error)))
        return _Outcome(judge(answer), parse_retry_after_s(answer.retry_after, self._clock()))

    def _wait_s(self, outcome: _Outcome, sent: int) -> float:
        match outcome.verdict:
            case Settled(number, dead_letters):
                was_one_by_one = self._one_by_one_left > 0
                self._one_by_one_left = max(0, self._one_by_one_left - number)
                self._max_events = min(MAX_EVENTS, self._max_events * 2)
                self._recovered()
                if dead_letters and self._throttle.allow("dead_letters"):
                    log.error(
                        "PAY-E14 %s has refused %d events for good; ps-gateway spool lists these dead letters; the "
                        "first: %s",
                        self._client.url, len(dead_letters), dead_letters[0].reason,
                    )  # fmt: skip
                return 0.0 if was_one_by_one else PACE_S
            case RetryStrategy.SMALLER_BATCHES:
                self._max_events = sent // 2
                return PACE_S
            case RetryStrategy.ONE_BY_ONE:
                self._one_by_one_left, self._is_payments_known = sent, False
                return PACE_S
            case RetryLater(cause, detail):
                self._log_failure(cause, detail)
                # By the next try, another program may answer at this address.
                self._is_payments_known = False
                return self._backoff.next_wait_s(outcome.retry_after_s)
        raise AssertionError(outcome)

    def _recovered(self) -> None:
        self._backoff.reset()
        self.error = None
        for cause in FailureCause:
            if self._throttle.clear(cause.value):
                log.info("%s takes events again", self._client.url)

    def _log_failure(self, cause: FailureCause, detail: str) -> None:
        self.error = f"{self._client.url}: {detail}"
        if not self._throttle.allow(cause.value):
            return
        if cause is FailureCause.TOKEN:
            log.error(
                "PAY-E11 %s %s: it does not take the PAYMENTS_SESSION_TOKEN of this edge; events are kept and sent "
                "again later",
                self._client.url, detail,
            )  # fmt: skip
        elif cause is FailureCause.ADDRESS:
            log.error(
                "PAY-E12 %s %s: is PAYMENTS_API_URL right? Events are kept and sent again later",
                self._client.url, detail,
            )  # fmt: skip
        else:
            log.warning("PAY-E13 %s: %s; events are kept and sent again later", self._client.url, detail)
