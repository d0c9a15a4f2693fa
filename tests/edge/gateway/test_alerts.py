"""Alerts for edges, checked by promtool and against the metrics that a gateway serves."""

import re

from payments.edge.gateway.metrics import GatewayCollector, Meters
from payments.edge.reporter import Status
from tests.alerts import alerts, promtool
from tests.web.helpers import samples

ALERTS = alerts("edge_alerts")


def scrape() -> str:
    """Metrics of an unused gateway."""
    return GatewayCollector(Meters(), lambda: Status(0, 0, 0, 0, 0, 0, None, 0, None), lambda: True).text().decode()


def test_names_are_conventional() -> None:
    promtool("check", "metrics", text=scrape())


def test_alerts_are_sound_and_each_fires_when_it_should_and_at_no_other_time() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", str(ALERTS.rules_path))
    promtool("test", "rules", str(ALERTS.cases_path))


def test_every_alert_has_a_case_that_looks_before_and_when_it_fires() -> None:
    assert ALERTS.fired() == {f'{{alertname="{rule["alert"]}"}}' for rule in ALERTS.rules()}


def test_alerts_and_cases_are_made_of_what_is_served() -> None:
    """Every series exists from the start, or an alert would miss its first change."""
    served = {(name, frozenset(labels)) for name, labels in samples(scrape())}
    names = {name for name, _ in served}
    assert {name for rule in ALERTS.rules() for name in re.findall(r"ps_gateway_\w+", rule["expr"])} - names == set()
    for each in (each["series"] for case in ALERTS.cases() for each in case["input_series"]):
        labels = frozenset(re.findall(r'(\w+)="(\w+)"', re.sub(r'instance="\w+",', "", each)))
        assert each.startswith("up{") or (each.partition("{")[0], labels) in served


def test_alerts_say_what_is_wrong_and_how_bad() -> None:
    for rule in ALERTS.rules():
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert set(rule["annotations"]) == {"summary", "description"}
