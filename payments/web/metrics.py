"""``GET /metrics``, for Prometheus.

Amounts are floats here, for graphs and alerts only; ``/api/ledger/balances`` has them exactly.
"""

import os
from collections.abc import Iterator, Mapping
from math import inf
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, request
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from payments.domain.money import WEI_PER_ETH
from payments.domain.overview import Totals
from payments.errors import Corrupt, Unavailable
from payments.web.meters import METERS
from payments.web.services import Services, services
from payments.web.worker import worker_health

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
def get_metrics() -> Response:
    app = services()
    app.gate.admit_viewer(request)
    text = generate_latest(_process_counters()) + generate_latest(_registry_of(_LedgerState(app)))
    return Response(text, content_type=CONTENT_TYPE_LATEST)


def _process_counters() -> CollectorRegistry:
    """The counts of all processes of this server together, or of this one if it is alone."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return METERS if folder is None else _registry_of(_WorkerCounters(Path(folder)))


def _registry_of(collector: Collector) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(collector)
    return registry


class _WorkerCounters(Collector):
    """The counts of all gunicorn workers, including those that have ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        # MultiProcessCollector's own listing fails on a file that a worker has made but not filled yet.
        files = [str(path) for path in self._folder.glob("*.db") if path.stat().st_size]
        yield from MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]


class _LedgerState(Collector):
    """The state of the ledger at the scrape, the same whichever process answers."""

    def __init__(self, app: Services) -> None:
        self._app = app

    def collect(self) -> Iterator[Metric]:
        app = self._app
        worker = worker_health(app)
        yield from _health(app, worker)
        yield from _sweep(worker["sweep"], app.settings.power_meter_enabled)
        totals = _totals(app)
        yield _gauge("payments_store_usable", "1 if events can be recorded now, else 0.", totals is not None)
        if totals is not None:
            yield _gauge("payments_journal_entries", "Entries in the journal.", totals.entries)
            yield from _sessions(totals)
            yield from _money(totals)


def _totals(app: Services) -> Totals | None:
    """``None`` if the store cannot be used."""
    try:
        app.store.check()
        return app.store.totals(app.now_ms(), app.settings.session_idle_timeout_s * 1000)
    except (Unavailable, Corrupt):
        return None


def _health(app: Services, worker: Mapping[str, Any]) -> Iterator[Metric]:
    if (free := app.engine.free_bytes()) is not None:
        yield _gauge("payments_journal_disk_free_bytes", "Free space on the journal's disk.", free)
    yield _gauge("payments_registry_sound", "1 if registry.json is readable, else 0.", app.registry.problem is None)
    yield _gauge("payments_orchestrators", "Registered orchestrators.", len(app.registry.records()))
    is_well = worker["problem"] is None
    yield _gauge("payments_worker_well", "1 if the worker reports in time or is not needed, else 0.", is_well)


def _sessions(totals: Totals) -> Iterator[Metric]:
    text = "Known sessions, by status."
    yield _gauges("payments_sessions", text, "status", totals.sessions)
    text = "Active sessions that no orchestrator earns from."
    yield _gauge("payments_sessions_unattributed", text, totals.unattributed)


def _money(totals: Totals) -> Iterator[Metric]:
    text = "Sum of entries by reason, in ETH; debits are negative."
    credited = {reason: wei / WEI_PER_ETH for reason, wei in totals.credited_wei.items()}
    yield _gauges("payments_credited_eth", text, "reason", credited)
    yield _gauge("payments_owed_eth", "Sum of all balances, in ETH.", totals.owed_wei / WEI_PER_ETH)


def _sweep(sweep: Mapping[str, Any] | None, is_due: bool) -> Iterator[Metric]:
    """If a sweep ``is_due`` and there was none, its age is +Inf: an alert cannot compare with a missing series."""
    if sweep is not None or is_due:
        text = "Time since the last power sweep ended; +Inf if the power meter is on and there was none."
        yield _gauge("payments_power_last_sweep_age_seconds", text, inf if sweep is None else sweep["age_s"])
    if sweep is None:
        return
    text = "Duration of the last power sweep."
    yield _gauge("payments_power_last_sweep_duration_seconds", text, sweep["seconds"])
    hosts = {state: sweep[state] for state in ("awake", "asleep", "unknown", "left_out")}
    yield _gauges("payments_power_hosts", "Hosts by state in the last sweep.", "state", hosts)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value)


def _gauges(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for word, value in values.items():
        family.add_metric([word], value)
    return family
