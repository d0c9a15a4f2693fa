"""``GET /metrics``, for Prometheus.

Amounts are floats here, for graphs and alerts only; what is owed exactly, ``/api/ledger/balances`` says.
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
    here = services()
    here.gate.admit_viewer(request)
    text = generate_latest(_counted()) + generate_latest(_registry(_State(here)))
    return Response(text, content_type=CONTENT_TYPE_LATEST)


def _counted() -> CollectorRegistry:
    """What the processes of this server have counted: all of them together, or this one where it is alone."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return METERS if folder is None else _registry(_Workers(Path(folder)))


def _registry(collector: Collector) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(collector)
    return registry


class _Workers(Collector):
    """The counts of all workers, those that have ended included."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        # Not MultiProcessCollector's own look at the folder: it fails on a file that a worker is just about to fill.
        files = [str(path) for path in self._folder.glob("*.db") if path.stat().st_size]
        yield from MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]


class _State(Collector):
    """What is true of all processes together at the moment of the scrape, whichever process answers it."""

    def __init__(self, here: Services) -> None:
        self._here = here

    def collect(self) -> Iterator[Metric]:
        here = self._here
        worker = worker_health(here)
        yield from _health(here, worker)
        yield from _sweep(worker["sweep"], here.settings.power_meter_enabled)
        totals = _totals(here)
        yield _gauge("payments_store_usable", "1: an event can be recorded now.", totals is not None)
        if totals is not None:
            yield _gauge("payments_journal_entries", "Entries in the journal.", totals.entries)
            yield from _sessions(totals)
            yield from _money(totals)


def _totals(here: Services) -> Totals | None:
    """``None`` where the store cannot be used."""
    try:
        here.store.check()
        return here.store.totals(here.now_ms(), here.settings.session_idle_timeout_s * 1000)
    except (Unavailable, Corrupt):
        return None


def _health(here: Services, worker: Mapping[str, Any]) -> Iterator[Metric]:
    if (free := here.engine.free_bytes()) is not None:
        yield _gauge("payments_journal_disk_free_bytes", "Free space where the journal is.", free)
    yield _gauge("payments_registry_sound", "1: registry.json can be read.", here.registry.problem is None)
    yield _gauge("payments_orchestrators", "Orchestrators that are registered.", len(here.registry.records()))
    is_well = worker["problem"] is None
    yield _gauge("payments_worker_well", "1: the worker reports in time, or is not needed.", is_well)


def _sessions(totals: Totals) -> Iterator[Metric]:
    text = "Sessions that are kept, by status; the live ones are active."
    yield _gauges("payments_sessions", text, "status", totals.sessions)
    text = "Sessions not ended whom no orchestrator earns from."
    yield _gauge("payments_sessions_unattributed", text, totals.unattributed)


def _money(totals: Totals) -> Iterator[Metric]:
    text = "What entries of each reason add up to, in ETH: credits above zero, debits below."
    credited = {reason: wei / WEI_PER_ETH for reason, wei in totals.credited_wei.items()}
    yield _gauges("payments_credited_eth", text, "reason", credited)
    yield _gauge("payments_owed_eth", "The sum of all balances, in ETH.", totals.owed_wei / WEI_PER_ETH)


def _sweep(sweep: Mapping[str, Any] | None, is_due: bool) -> Iterator[Metric]:
    """Where one ``is_due`` and none was, it was an eternity ago: an alert cannot compare with what is not there."""
    if sweep is not None or is_due:
        text = "Time since the power worker's last sweep ended; +Inf: there was none, and the power meter is on."
        yield _gauge("payments_power_last_sweep_age_seconds", text, inf if sweep is None else sweep["age_s"])
    if sweep is None:
        return
    text = "How long the power worker's last sweep took."
    yield _gauge("payments_power_last_sweep_duration_seconds", text, sweep["seconds"])
    hosts = {state: sweep[state] for state in ("awake", "asleep", "unknown", "left_out")}
    yield _gauges("payments_power_hosts", "Hosts by what that sweep found.", "state", hosts)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value)


def _gauges(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for word, value in values.items():
        family.add_metric([word], value)
    return family
