"""What the gateway counts, and how it is shown to Prometheus. No label has more values than are written down here."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from payments.clock import now_ms
from payments.edge.gateway.ending import ENDINGS
from payments.edge.reporter import Status

RESULTS = ("accepted", "bad_request", "full", "gone", "no_route", "refused", "stopping", "timeout")
"""What becomes of a viewer who asks for a WebSocket; ``gone``: he has not waited for the answer."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Traffic:
    """In one direction: plain numbers, for they change with every message."""

    __slots__ = ("bytes", "messages")

    def __init__(self) -> None:
        self.messages = self.bytes = 0


class Meters:
    """Attributes: ``viewers``, now; what has passed ``to_upstream`` and ``to_viewer``; counts of the rest."""

    def __init__(self) -> None:
        self.viewers = 0
        self.to_upstream = Traffic()
        self.to_viewer = Traffic()
        self.results: Counter[str] = Counter(dict.fromkeys(RESULTS, 0))
        self.endings: Counter[tuple[str, str]] = Counter(dict.fromkeys(ENDINGS, 0))
        self.pages: Counter[str] = Counter({"2xx": 0})
        self.registry = CollectorRegistry()
        self.connect_seconds = Histogram(
            "ps_gateway_upstream_connect_seconds", "How long game hosts take to accept a viewer.",
            buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        ProcessCollector(registry=self.registry)


class GatewayCollector(Collector):
    """All of it at the moment of a scrape."""

    def __init__(self, meters: Meters, status: Callable[[], Status], is_ready: Callable[[], bool]) -> None:
        self._meters = meters
        self._status = status
        self._is_ready = is_ready
        meters.registry.register(self)

    def text(self) -> bytes:
        """As Prometheus reads it."""
        return generate_latest(self._meters.registry)

    def collect(self) -> Iterator[Metric]:
        meters = self._meters
        yield _gauge("ps_gateway_ready", "1: /readyz says so.", self._is_ready())
        yield _gauge("ps_gateway_viewers", "Viewers that are connected.", meters.viewers)
        text = f"WebSockets that viewers have asked for, by what became of it: {', '.join(RESULTS)}."
        yield _counter("ps_gateway_connections", text, ("result",), {(key,): n for key, n in meters.results.items()})
        text = "Viewers' connections that have ended, by whose doing it was, and how: " + _words(ENDINGS)
        yield _counter("ps_gateway_disconnections", text, ("by", "how"), meters.endings)
        flows = (("to_upstream", meters.to_upstream), ("to_viewer", meters.to_viewer))
        text = "Messages that were passed on, pings and pongs among them."
        yield _counter("ps_gateway_messages", text, ("direction",), {(name,): flow.messages for name, flow in flows})
        text = "What was in these messages."
        yield _counter("ps_gateway_bytes", text, ("direction",), {(name,): flow.bytes for name, flow in flows})
        text = "Plain HTTP requests, by the class of the answer."
        yield _counter("ps_gateway_pages", text, ("code",), {(key,): n for key, n in meters.pages.items()})
        yield from _reporter(self._status())


def _reporter(status: Status) -> Iterator[Metric]:
    name = "ps_gateway_reporter"
    yield _gauge(f"{name}_sessions_open", "Sessions that have begun and not ended.", status.open)
    yield _gauge(f"{name}_events_pending", "Events that Payments has not got yet.", status.pending)
    text = "Events that Payments has taken, since the start."
    yield _counter(f"{name}_events_delivered", text, (), {(): status.delivered})
    text = "Events that Payments has refused for good, since the start."
    yield _counter(f"{name}_dead_letters", text, (), {(): status.dead_letters})
    text = "Heartbeats that were left out because the spool was full, since the start."
    yield _counter(f"{name}_heartbeats_dropped", text, (), {(): status.dropped})
    yield _gauge(f"{name}_spool_bytes", "What the spool takes up on disk.", status.spool_bytes)
    yield _gauge(f"{name}_spool_writable", "1: the spool can be written.", status.spool_error is None)
    if status.last_delivered_ms is not None:
        text = "Time since Payments last took an event; not there before the first one."
        yield _gauge(f"{name}_last_delivery_age_seconds", text, (now_ms() - status.last_delivered_ms) / 1000)


def _words(pairs: Iterable[tuple[str, str]]) -> str:
    return ", ".join(" ".join(pair) for pair in pairs) + "."


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value)


def _counter(name: str, text: str, labels: tuple[str, ...], values: Mapping[Any, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family
