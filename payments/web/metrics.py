"""``GET /metrics``, for Prometheus."""

from collections.abc import Iterator

from flask import Blueprint, Response, request
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from payments.web.services import Services, services
from payments.web.worker import worker_health

blueprint = Blueprint("metrics", __name__)


class _State(Collector):
    """What is true of all processes together at the moment of the scrape, whichever process answers it."""

    def __init__(self, here: Services) -> None:
        self._here = here

    def collect(self) -> Iterator[Metric]:
        sweep = worker_health(self._here.settings, self._here.now_ms())["sweep"]
        if sweep is None:
            return
        for name, text, value in (
            ("age", "Time since the power worker's last sweep ended.", sweep["age_s"]),
            ("duration", "How long the power worker's last sweep took.", sweep["seconds"]),
        ):
            yield GaugeMetricFamily(f"payments_power_last_sweep_{name}_seconds", text, value)
        hosts = GaugeMetricFamily("payments_power_hosts", "Hosts by what that sweep found.", labels=["state"])
        for state in ("awake", "asleep", "unknown", "left_out"):
            hosts.add_metric([state], sweep[state])
        yield hosts


@blueprint.get("/metrics")
def get_metrics() -> Response:
    here = services()
    here.gate.admit_viewer(request)
    registry = CollectorRegistry()
    registry.register(_State(here))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
