"""Counters and timers of this process for Prometheus, in memory or in a file of its own.

Under gunicorn the files of all workers lie in one folder (``PROMETHEUS_MULTIPROC_DIR``, which must be set before
prometheus_client is imported for the first time), and ``payments.web.metrics`` adds them up. Label values are words of
this API, never of a client. Each combination is looked up once, because that takes longer than counting.
"""

from collections.abc import Mapping
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Histogram

from payments.domain.decisions import DUPLICATE, LATE, RECORDED
from payments.domain.sessions import EVENTS
from payments.store import Commit
from payments.web.routes import openapi_path

INVALID, REJECTED = "invalid", "rejected"
UNREADABLE = "unreadable"
"""The kind of an event that cannot be read."""

METERS = CollectorRegistry()

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

_requests = Histogram(
    "payments_http_request_seconds", "Time to answer a request.",
    ["method", "route", "status"], buckets=_SECONDS, registry=METERS,
)  # fmt: skip
_events = Counter("payments_events", "Events of edges, by outcome.", ["event", "outcome"], registry=METERS)
_commits = Histogram(
    "payments_commit_seconds", "Time to decide, write and sync one group commit.", buckets=_SECONDS, registry=METERS
)
_waits = Histogram(
    "payments_lock_wait_seconds", "Time until a group had the journal's lock and had read what others appended.",
    buckets=_SECONDS, registry=METERS,
)  # fmt: skip
_sizes = Histogram(
    "payments_commit_entries", "Entries in one group commit.", buckets=(1, 2, 4, 8, 16, 64, 256, 1024), registry=METERS
)
_counters: Mapping[tuple[str, str], Counter] = {
    (kind, outcome): _events.labels(kind, outcome)
    for kind, outcome in (
        *((kind, outcome) for kind in EVENTS for outcome in (RECORDED, DUPLICATE, LATE, REJECTED)),
        (UNREADABLE, INVALID),
    )
}


def count_event(kind: str, outcome: str, count: int = 1) -> None:
    """Count ``count`` events of ``kind`` with ``outcome``."""
    _counters[kind, outcome].inc(count)


def observe_commit(commit: Commit) -> None:
    """Observe a commit; the store calls this."""
    _commits.observe(commit.seconds)
    _waits.observe(commit.wait_s)
    _sizes.observe(commit.entries)


def observe_request(method: str, route: str, status: int, seconds: float) -> None:
    """Observe an answered request. ``route`` is a pattern, ``method`` one that it allows."""
    _request_timer(method, route, status // 100).observe(seconds)


@cache
def _request_timer(method: str, route: str, status_class: int) -> Histogram:
    timer: Histogram = _requests.labels(method, openapi_path(route), f"{status_class}xx")
    return timer
