"""Metrics of the gateway, for Prometheus. Labels have only the values listed here."""

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
"""Results of a viewer's request for a WebSocket. ``gone``: the viewer or the game host left meanwhile."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Traffic:
    """Counts of one direction. Plain integers, because they change with every message."""

    __slots__ = ("bytes", "messages")

    def __init__(self) -> None:
        self.messages = self.bytes = 0


class Meters:
    """What the gateway counts.

    Attributes:
        viewers: connected viewers.
        to_upstream, to_viewer: messages that were passed on.
        results: requests for WebSockets, by result.
        endings: ended links, by ``Ending.by`` and ``Ending.how``.
        pages: HTTP responses, by class of status.
    """

    def __init__(self) -> None:
        self.viewers = 0
        self.to_upstream = Traffic()
        self.to_viewer = Traffic()
        self.results: Counter[str] = Counter(dict.fromkeys(RESULTS, 0))
        self.endings: Counter[tuple[str, str]] = Counter(dict.fromkeys(ENDINGS, 0))
        self.pages: Counter[str] = Counter({"2xx": 0})
        self.registry = CollectorRegistry()
        self.connect_seconds = Histogram(
            "ps_gateway_upstream_connect_seconds", "Time for a game host to accept a viewer.",
            buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        ProcessCollector(registry=self.registry)


class GatewayCollector(Collector):
    """Collects all metrics at a scrape."""

    def __init__(self, meters: Meters, status: Callable[[], Status], is_ready: Callable[[], bool]) -> None:
        self._meters = meters
        self._status = status
        self._is_ready = is_ready
        meters.registry.register(self)

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._meters.registry)

    def collect(self) -> Iterator[Metric]:
        meters = self._meters
        yield _gauge("ps_gateway_ready", "1 if /readyz answers 200.", self._is_ready())
        yield _gauge("ps_gateway_viewers", "Connected viewers.", meters.viewers)
        text = f"Viewers' requests for a WebSocket, by result: {', '.join(RESULTS)}."
        yield _counter("ps_gateway_connections", text, ("result",), {(key,): n for key, n in meters.results.items()})
        text = "Ended connections of viewers, by who ended them, and how: " + _words(ENDINGS)
        yield _counter("ps_gateway_disconnections", text, ("by", "how"), meters.endings)
        flows = (("to_upstream", meters.to_upstream), ("to_viewer", meters.to_viewer))
        text = "Messages passed on, including pings and pongs."
        yield _counter("ps_gateway_messages", text, ("direction",), {(name,): flow.messages for name, flow in flows})
        text = "Payload of these messages."
        yield _counter("ps_gateway_bytes", text, ("direction",), {(name,): flow.bytes for name, flow in flows})
        text = "Plain HTTP requests, by class of the response's status."
        yield _counter("ps_gateway_pages", text, ("code",), {(key,): n for key, n in meters.pages.items()})
        yield from _reporter(self._status())


def _reporter(status: Status) -> Iterator[Metric]:
    name = "ps_gateway_reporter"
    yield _gauge(f"{name}_sessions_open", "Open sessions.", status.open)
    yield _gauge(f"{name}_events_pending", "Undelivered events.", status.pending)
    text = "Events that Payments accepted, since the start."
    yield _counter(f"{name}_events_delivered", text, (), {(): status.delivered})
    text = "Events that Payments rejected for good, since the start."
    yield _counter(f"{name}_dead_letters", text, (), {(): status.dead_letters})
    text = "Heartbeats dropped because the spool was full, since the start."
    yield _counter(f"{name}_heartbeats_dropped", text, (), {(): status.dropped})
    yield _gauge(f"{name}_spool_bytes", "Size of the spool on disk.", status.spool_bytes)
    yield _gauge(f"{name}_spool_writable", "1 if the spool can be written.", status.spool_error is None)
    if status.last_delivered_ms is not None:
        text = "Time since Payments last accepted an event; absent before the first."
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
