"""The status that the active worker publishes, for probes, metrics and people."""

from collections.abc import Mapping
from typing import NamedTuple

from payments.domain.entries import JSON
from payments.store import Engine, Lease

_LEASE = "worker"


class SweepStatus(NamedTuple):
    """The result of one sweep.

    Attributes:
        at_ms: when it ended.
        seconds: how long it took.
        asked: orchestrators that were asked; each is one of ``awake``, ``asleep`` (another word) and ``unknown``.
        left_out: orchestrators that were not asked, for lack of time.
        credited_eth: what the sweep credited, as a decimal string.
    """

    at_ms: int
    seconds: float
    asked: int
    awake: int
    asleep: int
    unknown: int
    left_out: int
    credited_eth: str


class WorkerStatus(NamedTuple):
    """The status of the active worker.

    Attributes:
        at_ms: when it published this status.
        due_ms: when a healthy worker will have published the next one.
        sweep: the last one; ``None`` before the first, and without the power meter.
    """

    pid: int
    at_ms: int
    due_ms: int
    sweep: SweepStatus | None

    def as_json(self) -> Mapping[str, JSON]:
        """The JSON that ``read_status`` reads."""
        return {**self._asdict(), "sweep": self.sweep and self.sweep._asdict()}


def worker_lease(engine: Engine) -> Lease:
    """The lease of the one active worker (rule 6.8). Two would only ask every host twice."""
    return engine.lease(_LEASE)


def read_status(engine: Engine) -> WorkerStatus | None:
    """The status that the active worker last published; ``None`` if there is no readable one."""
    document = engine.published(_LEASE)
    try:
        sweep = document["sweep"]
        status = WorkerStatus(**{**document, "sweep": None if sweep is None else SweepStatus(**sweep)})
    except (KeyError, TypeError):
        return None
    numbers = (status.pid, status.at_ms, status.due_ms, *(status.sweep or ())[:-1])
    return status if all(type(number) in (int, float) for number in numbers) else None
