"""The alerts for edges, by Prometheus' own judgement and against what a gateway serves."""

import re
from itertools import pairwise
from typing import Any

import yaml

from payments.edge.gateway.metrics import Meters, Shown
from payments.edge.reporter import Status
from tests.harness import ROOT
from tests.web.helpers import samples
from tests.web.test_alerts import promtool

ALERTS = ROOT / "deploy" / "prometheus" / "edge_alerts.yml"
CASES = ROOT / "deploy" / "prometheus" / "edge_alerts_test.yml"


def rules() -> list[dict[str, Any]]:
    [group] = yaml.safe_load(ALERTS.read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def cases() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(CASES.read_text())["tests"]
    return found


def scrape() -> str:
    """Of a gateway that nobody has used yet."""
    return Shown(Meters(), lambda: Status(0, 0, 0, 0, 0, 0, None, 0, None), lambda: True).text().decode()


def test_names_are_conventional() -> None:
    promtool("check", "metrics", text=scrape())


def test_alerts_are_sound_and_each_fires_when_it_should_and_at_no_other_time() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", str(ALERTS))
    promtool("test", "rules", str(CASES))


def test_every_alert_has_a_case_that_looks_before_and_when_it_fires() -> None:
    fire = set()
    for case in cases():
        for before, then in pairwise(case["promql_expr_test"]):
            if "exp_samples" in then:
                [sample] = then["exp_samples"]
                assert "exp_samples" not in before
                assert int(then["eval_time"].removesuffix("m")) == int(before["eval_time"].removesuffix("m")) + 1
                fire.add(sample["labels"])
    assert fire == {f'{{alertname="{rule["alert"]}"}}' for rule in rules()}


def test_alerts_and_cases_are_made_of_what_is_served() -> None:
    """Every series is there from the start, or an alert would miss its first change."""
    served = {(name, frozenset(labels)) for name, labels in samples(scrape())}
    names = {name for name, _ in served}
    assert {name for rule in rules() for name in re.findall(r"ps_gateway_\w+", rule["expr"])} - names == set()
    for each in (each["series"] for case in cases() for each in case["input_series"]):
        labels = frozenset(re.findall(r'(\w+)="(\w+)"', re.sub(r'instance="\w+",', "", each)))
        assert each.startswith("up{") or (each.partition("{")[0], labels) in served


def test_alerts_say_what_is_wrong_and_how_bad() -> None:
    for rule in rules():
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert set(rule["annotations"]) == {"summary", "description"}
