"""The alerts and the dashboard, by Prometheus' own judgement and against what ``/metrics`` serves."""

import json
import re
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from payments.clock import now_ms
from payments.worker_status import SweepStatus, WorkerStatus, worker_lease
from tests.alerts import alerts, promtool
from tests.harness import ROOT, file_engine
from tests.web.api import Api
from tests.web.helpers import BATCH, an_event, post_event, samples, scrape, send

ALERTS = alerts("alerts")
DASHBOARD = ROOT / "deploy" / "grafana" / "payments.json"


def seed(data: Path) -> None:
    """A worker that has swept."""
    now = now_ms()
    with closing(worker_lease(file_engine(data))) as lease:
        lease.publish(WorkerStatus(1, now, now + 600_000, SweepStatus(now, 0.5, 3, 1, 1, 1, 0, "0")).as_json())


@pytest.fixture(scope="module")
def scrapes(api: Api) -> tuple[str, str]:
    """Of a server that is well, and of the same when it can record nothing any more."""
    api.register()
    post_event(api, [an_event("s-1"), {}], BATCH)
    post_event(api, an_event("s-1", "end"))
    send(api, "GET", "/readyz")
    well = scrape(api)
    api.halt()
    assert send(api, "GET", "/readyz").status == 503
    return well, scrape(api)


@pytest.fixture(scope="module")
def served(scrapes: tuple[str, str]) -> set[str]:
    """All series that a scrape may hold, as PromQL selects them."""
    return {selector(name, dict(labels)) for text in scrapes for name, labels in samples(text)}


def selector(name: str, labels: dict[str, str]) -> str:
    within = ",".join(f"{label}={json.dumps(labels[label])}" for label in sorted(labels))
    return f"{name}{{{within}}}" if within else name


def names_in(texts: Iterable[str]) -> set[str]:
    return {name for text in texts for name in re.findall(r"\bpayments_[a-z_]+", text)}


def shown() -> list[str]:
    """The expressions of the dashboard; Grafana puts a time in the place of its variables."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [re.sub(r"\$__\w+", "5m", each["expr"]) for panel in panels for each in panel.get("targets", [])]


@pytest.mark.processes
def test_names_are_conventional(scrapes: tuple[str, str]) -> None:
    for text in scrapes:
        promtool("check", "metrics", text=text)


@pytest.mark.processes
def test_alerts_are_sound() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", str(ALERTS.rules_path))


@pytest.mark.processes
def test_every_alert_fires_when_it_should_and_at_no_other_time() -> None:
    promtool("test", "rules", str(ALERTS.cases_path))


def test_every_alert_has_a_case_that_looks_before_and_when_it_fires() -> None:
    assert ALERTS.fired() == {selector("", {"alertname": rule["alert"]}) for rule in ALERTS.rules()}


def test_cases_are_made_of_what_is_served(served: set[str]) -> None:
    made = {each["series"] for case in ALERTS.cases() for each in case["input_series"]}
    assert made - served == {'up{job="payments"}'}


def test_whatever_an_alert_watches_is_well_once() -> None:
    """Where a series is missing, its alert is silent for that alone."""
    well = [each["series"] for each in ALERTS.cases()[0]["input_series"]]
    assert names_in(rule["expr"] for rule in ALERTS.rules()) - names_in(well) == set()


def test_alerts_say_what_is_wrong_and_how_bad() -> None:
    for rule in ALERTS.rules():
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert set(rule["annotations"]) == {"summary", "description"}
    assert len({rule["alert"] for rule in ALERTS.rules()}) == len(ALERTS.rules())


@pytest.mark.processes
def test_dashboard_shows_what_is_served(served: set[str], tmp_path: Path) -> None:
    """Every expression finds something in a scrape: names, labels and their values are right."""
    finds_something = [
        {"expr": f"count({text}) > bool 0", "eval_time": "10m", "exp_samples": [{"labels": "{}", "value": 1}]}
        for text in shown()
    ]
    series = [{"series": each, "values": "1x10"} for each in served]
    path = tmp_path / "dashboard_test.yml"
    path.write_text(
        json.dumps({"tests": [{"interval": "1m", "input_series": series, "promql_expr_test": finds_something}]})
    )
    promtool("test", "rules", str(path))


def test_every_metric_of_ours_is_on_the_dashboard(served: set[str]) -> None:
    """But for parts of histograms, which belong to the whole, and times of creation, which gunicorn's workers omit."""
    found = names_in(shown())
    parts = ("_sum", "_count", "_bucket")
    missing = {
        name
        for name in names_in(served) - found
        if not name.endswith("_created")
        and not (name.endswith(parts) and any(name.rsplit("_", 1)[0] + part in found for part in parts))
    }
    assert missing == set()


def test_dashboard_is_in_one_piece() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert {each["datasource"]["uid"] for each in panels if each["type"] != "row"} == {"${datasource}"}
