"""What a response of Payments means for the events that were sent. Pure.

An event is settled once Payments has given a final result for it: an outcome, or a problem that would occur again with
the same event. Any other response leaves it pending.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Any, NamedTuple, TypeAlias

from payments.edge.client import Reply
from payments.edge.events import DeadLetter, SpooledEvent
from payments.strictjson import read_strictly

_MAX_DETAIL = 200


class FailureCause(Enum):
    """Why events are not accepted, and so where to look: the edge's token, the address of Payments, or Payments."""

    TOKEN = "the token"  # noqa: S105
    ADDRESS = "the address"
    UNAVAILABLE = "Payments"


class Settled(NamedTuple):
    """The first ``number`` events are settled; ``dead_letters`` of them were rejected for good."""

    number: int
    dead_letters: list[DeadLetter]


class RetryLater(NamedTuple):
    """Send all events again later. ``detail``: the response in a few words."""

    cause: FailureCause
    detail: str


class RetryStrategy(Enum):
    """Send the events again in another way."""

    SMALLER_BATCHES = "fewer at a time"
    ONE_BY_ONE = "one by one"


Verdict: TypeAlias = Settled | RetryLater | RetryStrategy


def judge_batch(answer: Reply, events: Sequence[SpooledEvent]) -> Verdict:
    """Judge the response to a batch of ``events``."""
    if answer.status == 200:
        return _judge_results(answer, events)
    if answer.status == 413:
        return RetryStrategy.SMALLER_BATCHES if len(events) > 1 else RetryStrategy.ONE_BY_ONE
    if answer.status in (400, 415, 422):
        return RetryStrategy.ONE_BY_ONE
    return _retry_later(answer)


def judge_event(answer: Reply, event: SpooledEvent) -> Verdict:
    """Judge the response to ``event``, sent alone to a server that is known to be Payments."""
    body = _object(answer)
    if answer.status == 200:
        return Settled(1, []) if isinstance(body.get("outcome"), str) else _not_payments(answer)
    if answer.status in (400, 409, 413, 415, 422):
        return Settled(1, [_dead_letter(event, body, answer.status)])
    return _retry_later(answer)


def is_payments(answer: Reply) -> bool:
    """Whether ``answer`` is Payments' response to an empty batch."""
    return answer.status == 200 and _object(answer).get("results") == []


def judge_probe(answer: Reply) -> RetryLater:
    """Judge a response to an empty batch that ``is_payments`` did not recognise."""
    return _retry_later(answer)


def _judge_results(answer: Reply, events: Sequence[SpooledEvent]) -> Verdict:
    results = _object(answer).get("results")
    if not isinstance(results, list) or len(results) != len(events):
        return _not_payments(answer)
    dead_letters: list[DeadLetter] = []
    count = 0
    for event, result in zip(events, results, strict=True):
        if not isinstance(result, dict) or result.get("session_id", event.session_id) != event.session_id:
            return _not_payments(answer)
        problem = result.get("problem")
        if isinstance(problem, dict):
            status = problem.get("status")
            if not (type(status) is int and 400 <= status < 500):
                break
            dead_letters.append(_dead_letter(event, problem, status))
        elif not isinstance(result.get("outcome"), str):
            return _not_payments(answer)
        count += 1
    return (
        Settled(count, dead_letters)
        if count
        else RetryLater(FailureCause.UNAVAILABLE, "it could not take the first event of a batch")
    )


def _retry_later(answer: Reply) -> RetryLater:
    status = answer.status
    if status in (401, 403):
        cause = FailureCause.TOKEN
    elif status in (408, 425, 429) or status >= 500:
        cause = FailureCause.UNAVAILABLE
    else:
        return _not_payments(answer)
    detail = _object(answer).get("detail")
    return RetryLater(cause, f"answers {status} ({_short(detail)})" if isinstance(detail, str) else f"answers {status}")


def _not_payments(answer: Reply) -> RetryLater:
    return RetryLater(FailureCause.ADDRESS, f"answers {answer.status}, and not as Payments does")


def _dead_letter(event: SpooledEvent, problem: dict[str, Any], status: int) -> DeadLetter:
    """``problem``: problem details of RFC 9457, perhaps incomplete."""
    reasons = [problem.get("detail") or problem.get("title") or "rejected"]
    errors = problem.get("errors")
    named = [each for each in errors if isinstance(each, dict)] if isinstance(errors, list) else []
    reasons += [f"{each.get('field')}: {each.get('detail')}" for each in named]
    return DeadLetter(event, f"{status}: {_short('; '.join(map(str, reasons)), 1000)}")


def _object(answer: Reply) -> dict[str, Any]:
    try:
        value = read_strictly(answer.body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _short(text: str, max_length: int = _MAX_DETAIL) -> str:
    """``text`` as one printable line of limited length."""
    return "".join(each if each.isprintable() else " " for each in text[:max_length])
