"""What an answer of Payments means for the events that were sent. Pure.

An event is done with as soon as Payments has said something final of it: an outcome, or a problem that the same event
would meet again. Anything else leaves it where it is.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Any, NamedTuple, TypeAlias

from payments.edge.calling import Reply
from payments.edge.events import DeadLetter, Spooled
from payments.strictjson import read_strictly

_MOST_SAID = 200


class Fault(Enum):
    """Who has to do something about events that are not taken."""

    TOKEN = "the token"  # noqa: S105
    ADDRESS = "the address"
    AWAY = "Payments"


class Accepted(NamedTuple):
    """The first ``number`` events are done with; of those, ``refused`` for good."""

    number: int
    refused: list[DeadLetter]


class Retry(NamedTuple):
    """All are to be sent again. ``said``: what came back, in a few words."""

    fault: Fault
    said: str


class RetryStrategy(Enum):
    """They are to be sent in another way."""

    FEWER = "fewer at a time"
    ALONE = "one by one"


Verdict: TypeAlias = Accepted | Retry | RetryStrategy


def of_batch(answer: Reply, events: Sequence[Spooled]) -> Verdict:
    """What ``answer`` says to a batch of ``events``."""
    if answer.status == 200:
        return _of_results(answer, events)
    if answer.status == 413:
        return RetryStrategy.FEWER if len(events) > 1 else RetryStrategy.ALONE
    if answer.status in (400, 415, 422):
        return RetryStrategy.ALONE
    return _later(answer)


def of_one(answer: Reply, event: Spooled) -> Verdict:
    """What ``answer`` says to ``event``, which was sent by itself to an API that is known to be Payments."""
    said = _object(answer)
    if answer.status == 200:
        return Accepted(1, []) if isinstance(said.get("outcome"), str) else _stranger(answer)
    if answer.status in (400, 409, 413, 415, 422):
        return Accepted(1, [_dead_letter(event, said, answer.status)])
    return _later(answer)


def is_payments(answer: Reply) -> bool:
    """Whether ``answer``, to an empty batch, is what Payments says to that."""
    return answer.status == 200 and _object(answer).get("results") == []


def of_probe(answer: Reply) -> Retry:
    """What an answer to an empty batch means that is not that of Payments."""
    return _later(answer)


def _of_results(answer: Reply, events: Sequence[Spooled]) -> Verdict:
    results = _object(answer).get("results")
    if not isinstance(results, list) or len(results) != len(events):
        return _stranger(answer)
    refused: list[DeadLetter] = []
    count = 0
    for event, result in zip(events, results, strict=True):
        if not isinstance(result, dict) or result.get("session_id", event.session_id) != event.session_id:
            return _stranger(answer)
        problem = result.get("problem")
        if isinstance(problem, dict):
            status = problem.get("status")
            if not (type(status) is int and 400 <= status < 500):
                break
            refused.append(_dead_letter(event, problem, status))
        elif not isinstance(result.get("outcome"), str):
            return _stranger(answer)
        count += 1
    return Accepted(count, refused) if count else Retry(Fault.AWAY, "it could not take the first event of a batch")


def _later(answer: Reply) -> Retry:
    status = answer.status
    if status in (401, 403):
        fault = Fault.TOKEN
    elif status in (408, 425, 429) or status >= 500:
        fault = Fault.AWAY
    else:
        return _stranger(answer)
    detail = _object(answer).get("detail")
    return Retry(fault, f"answers {status} ({_short(detail)})" if isinstance(detail, str) else f"answers {status}")


def _stranger(answer: Reply) -> Retry:
    return Retry(Fault.ADDRESS, f"answers {answer.status}, and not as Payments does")


def _dead_letter(event: Spooled, problem: dict[str, Any], status: int) -> DeadLetter:
    """``problem``: what Payments said of it, as RFC 9457 has it, or less."""
    reasons = [problem.get("detail") or problem.get("title") or "refused"]
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


def _short(text: str, most: int = _MOST_SAID) -> str:
    """``text`` as one printable line that is not too long."""
    return "".join(each if each.isprintable() else " " for each in text[:most])
