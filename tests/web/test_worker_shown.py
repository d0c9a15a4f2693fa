"""How the worker fares, as ``/readyz`` and ``/metrics`` show it from what it last reported."""

from collections.abc import Callable, Iterator
from contextlib import closing
from math import inf
from typing import Any

import pytest

from payments.clock import now_ms
from payments.domain.times import parse_time
from payments.worker_status import SweepStatus, WorkerStatus, worker_lease
from tests.harness import Service, file_engine, journal_path
from tests.web.api import Api
from tests.web.helpers import samples, scrape, send

SETTINGS = {"PAYMENTS_POWER_METER_ENABLED": "true"}
SWEEP = SweepStatus(
    at_ms=0, seconds=1.25, asked=10, awake=6, asleep=3, unknown=1, left_out=2, credited_eth="0.000000000000000001"
)
NEVER = {"payments_power_last_sweep_age_seconds": inf}
"""What is served of the last sweep where there was none and one is due."""
Reports = Callable[[int, int, SweepStatus | None], None]


@pytest.fixture
def reported(api: Api) -> Iterator[Reports]:
    """Let a worker have reported so many milliseconds ago, to do so again so many after that, of this sweep then."""
    journal = journal_path(api.data)

    def report(ago_ms: int, within_ms: int, sweep: SweepStatus | None) -> None:
        at_ms = now_ms() - ago_ms
        status = WorkerStatus(4711, at_ms, at_ms + within_ms, sweep and sweep._replace(at_ms=at_ms))
        with closing(worker_lease(file_engine(api.data))) as lease:
            lease.publish(status.as_json())

    yield report
    journal.with_name("ledger-events.log.worker.json").unlink(missing_ok=True)


def ready(server: Service) -> Any:
    answer = send(server, "GET", "/readyz")
    assert answer.status == 200
    return answer.json()


def metrics(server: Service) -> dict[str, float]:
    """Samples of the worker's last sweep by name and labels, as Prometheus would read them."""
    return {
        "/".join([name, *(word for _, word in labels)]): value
        for (name, labels), value in samples(scrape(server)).items()
        if name.startswith("payments_power_")
    }


def test_before_a_worker_has_run_it_is_degraded(api: Api) -> None:
    """Events can be recorded: it is no reason to send no more of them."""
    shown = ready(api)
    assert shown["status"] == "degraded"
    problem = "PAY-W07 no worker has run yet; the power meter needs one"
    assert shown["worker"] == {"seen_at": None, "sweep": None, "problem": problem}
    assert metrics(api) == NEVER


def test_a_worker_that_is_well_is_ok(api: Api, reported: Reports) -> None:
    reported(2000, 60_000, SWEEP)
    shown = ready(api)
    assert (shown["status"], shown["worker"]["problem"]) == ("ok", None)
    sweep = shown["worker"]["sweep"]
    assert sweep["ended_at"] == shown["worker"]["seen_at"]
    assert 2000 <= now_ms() - parse_time(sweep.pop("ended_at")) < 20_000
    assert 2 <= sweep.pop("age_s") < 20
    assert sweep == {name: value for name, value in SWEEP._asdict().items() if name != "at_ms"}


def test_a_worker_before_its_first_sweep_is_ok(api: Api, reported: Reports) -> None:
    reported(0, 60_000, None)
    shown = ready(api)
    assert (shown["status"], shown["worker"]["sweep"]) == ("ok", None)
    assert metrics(api) == NEVER


def test_a_worker_that_is_late_is_degraded(api: Api, reported: Reports) -> None:
    reported(61_000, 60_000, SWEEP)
    shown = ready(api)
    assert shown["status"] == "degraded"
    problem = f"PAY-W07 the worker is silent since {shown['worker']['seen_at']}; is payments-worker running?"
    assert shown["worker"]["problem"] == problem


def test_the_last_sweep_is_in_the_metrics(api: Api, reported: Reports) -> None:
    reported(2000, 60_000, SWEEP)
    shown = metrics(api)
    assert 2 <= shown.pop("payments_power_last_sweep_age_seconds") < 20
    assert shown == {
        "payments_power_last_sweep_duration_seconds": 1.25,
        "payments_power_hosts/awake": 6,
        "payments_power_hosts/asleep": 3,
        "payments_power_hosts/unknown": 1,
        "payments_power_hosts/left_out": 2,
    }


def test_a_sweep_dated_ahead_of_the_clock_has_no_negative_age(api: Api, reported: Reports) -> None:
    reported(-3_600_000, 60_000, SWEEP)
    assert metrics(api)["payments_power_last_sweep_age_seconds"] == 0
    assert ready(api)["worker"]["sweep"]["age_s"] == 0


@pytest.mark.parametrize(
    "damaged",
    [
        b"", b"{", b"null", b"[]", b'"x"', b"\xff", b'{"sweep":null}', b'{"pid":1,"at_ms":1,"due_ms":1,"sweep":{}}',
        b'{"pid":1,"at_ms":"1","due_ms":"1","sweep":null}', b'{"pid":1,"at_ms":1,"due_ms":null,"sweep":null}',
        b'{"pid":1,"at_ms":1,"due_ms":2,"sweep":7}', b'{"pid":1,"at_ms":1,"due_ms":2,"sweep":null,"more":1}',
    ],
)  # fmt: skip
def test_a_report_that_cannot_be_read_is_as_none(api: Api, reported: Reports, damaged: bytes) -> None:
    """It is for show: nothing that is in it may keep events from being taken."""
    journal_path(api.data).with_name("ledger-events.log.worker.json").write_bytes(damaged)
    assert ready(api)["worker"]["seen_at"] is None
    assert metrics(api) == NEVER
