"""Sends what is in the spool to Payments: in order, in batches, one at a time, for as long as it takes.

Whatever is not final leaves the events where they are: they are sent again, later and later, and Payments takes no
moment twice. A batch that is refused as a whole is sent in smaller ones, or one by one, to find the event at fault; but
only when Payments has answered an empty batch, for what refuses everything is not Payments, or not on this address.
"""

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

from payments.edge.backoff import Backoff, told_s
from payments.edge.calling import Caller, NoAnswer, Reply
from payments.edge.events import Spooled
from payments.edge.log_throttle import LogThrottle
from payments.edge.spool import Spool
from payments.edge.verdicts import (
    Accepted,
    Fault,
    Retry,
    RetryStrategy,
    Verdict,
    is_payments,
    of_batch,
    of_one,
    of_probe,
)

log = logging.getLogger(__name__)

MOST_EVENTS = 500
PACE_S = 0.2
"""From one batch to the next: nginx in front of Payments lets an address have five a second."""

_EVENT, _BATCH = "/api/sessions/events", "/api/sessions/events/batch"


class _Reply(NamedTuple):
    """What came of a call; ``told_s``: how long it asked to be left alone, or ``None``."""

    verdict: Verdict
    told_s: float | None = None


class Delivery:
    """Sends one batch after the other. One thread at a time (the caller's care).

    Attributes:
        trouble: why nothing gets through at present; ``None`` while it does.
    """

    def __init__(
        self,
        spool: Spool,
        caller: Caller,
        *,
        clock: Callable[[], int],
        monotonic: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self.trouble: str | None = None
        self._spool = spool
        self._caller = caller
        self._clock = clock
        self._backoff = Backoff(random)
        self._throttle = LogThrottle(monotonic)
        self._most_events = MOST_EVENTS
        self._left_alone = 0
        self._is_known = False

    def step(self, timeout_s: float = 30.0) -> float | None:
        """Send what is to be sent next; the seconds to wait before the next step, or ``None``: there was nothing."""
        events = self._spool.batch(1 if self._left_alone else self._most_events)
        if not events:
            return None
        done: Sequence[Spooled] = ()
        refused = []
        try:
            reply = self._send_alone(events[0], timeout_s) if self._left_alone else self._send_all(events, timeout_s)
            if isinstance(reply.verdict, Accepted):
                done, refused = events[: reply.verdict.number], reply.verdict.refused
        finally:
            self._spool.settle(events, done, refused)
        return self._next_s(reply, len(events))

    def hurry(self) -> None:
        """Begin anew with waiting: there is not much time left."""
        self._backoff.succeeded()

    def _send_all(self, events: Sequence[Spooled], timeout_s: float) -> _Reply:
        body = b"[%b]" % b",".join([event.body() for event in events])
        return self._call(_BATCH, body, timeout_s, lambda answer: of_batch(answer, events))

    def _send_alone(self, event: Spooled, timeout_s: float) -> _Reply:
        if not self._is_known:
            probe = self._call(
                _BATCH, b"[]", timeout_s, lambda answer: Accepted(0, []) if is_payments(answer) else of_probe(answer)
            )
            if not isinstance(probe.verdict, Accepted):
                return probe
            self._is_known = True
        return self._call(_EVENT, event.body(), timeout_s, lambda answer: of_one(answer, event))

    def _call(self, path: str, body: bytes, timeout_s: float, judge: Callable[[Reply], Verdict]) -> _Reply:
        try:
            answer = self._caller.post(path, body, timeout_s)
        except NoAnswer as error:
            return _Reply(Retry(Fault.AWAY, str(error)))
        return _Reply(judge(answer), told_s(answer.retry_after, self._clock()))

    def _next_s(self, reply: _Reply, sent: int) -> float:
        match reply.verdict:
            case Accepted(number, refused):
                was_alone = self._left_alone > 0
                self._left_alone = max(0, self._left_alone - number)
                self._most_events = min(MOST_EVENTS, self._most_events * 2)
                self._goes_on()
                if refused and self._throttle.allow("refused"):
                    log.error(
                        "%s has refused %d events for good; ps-gateway spool lists these dead letters; the first: %s",
                        self._caller.url, len(refused), refused[0].reason,
                    )  # fmt: skip
                return 0.0 if was_alone else PACE_S
            case RetryStrategy.FEWER:
                self._most_events = sent // 2
                return PACE_S
            case RetryStrategy.ALONE:
                self._left_alone, self._is_known = sent, False
                return PACE_S
            case Retry(fault, said):
                self._complain(fault, said)
                # The next may be another program, or the same one with another mind.
                self._is_known = False
                return self._backoff.failed_s(reply.told_s)
        raise AssertionError(reply)

    def _goes_on(self) -> None:
        self._backoff.succeeded()
        self.trouble = None
        for fault in Fault:
            if self._throttle.clear(fault.value):
                log.info("%s takes events again", self._caller.url)

    def _complain(self, fault: Fault, said: str) -> None:
        self.trouble = f"{self._caller.url}: {said}"
        if not self._throttle.allow(fault.value):
            return
        if fault is Fault.TOKEN:
            log.error(
                "%s %s: it does not take the PAYMENTS_SESSION_TOKEN of this edge; events are kept and sent again later",
                self._caller.url, said,
            )  # fmt: skip
        elif fault is Fault.ADDRESS:
            log.error(
                "%s %s: is PAYMENTS_API_URL right? Events are kept and sent again later", self._caller.url, said
            )  # fmt: skip
        else:
            log.warning("%s: %s; events are kept and sent again later", self._caller.url, said)
