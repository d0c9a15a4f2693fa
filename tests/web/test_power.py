"""``GET /api/power``: what was last read of whom, and whether it still says anything."""

from pathlib import Path
from typing import Any

import pytest

from payments.clock import now_ms
from payments.domain.decisions import Terms
from payments.domain.readings import Reading
from payments.domain.times import parse_time
from tests.harness import Service, file_store
from tests.web.api import Api, running_api
from tests.web.helpers import check_problem, send

MINUTE_MS = 60_000
SETTINGS = {"PAYMENTS_POWER_MAX_GAP_SECONDS": "150"}
MOMENTS: dict[str, int] = {}


def seed(data: Path) -> None:
    """One orchestrator awake for two minutes and read a minute ago, one unknown an hour ago."""
    MOMENTS["begun"] = begun_ms = now_ms() - 3 * MINUTE_MS
    terms = Terms(power_rate_wei_per_minute=10**15, power_max_gap_ms=10 * MINUTE_MS)
    store = file_store(data, terms, clock=now_ms)  # type: ignore[arg-type]
    store.execute(
        [
            Reading("orch-b", "awake", begun_ms),
            Reading("orch-b", "awake", begun_ms + 2 * MINUTE_MS),
            Reading("orch-a", "sleeping", begun_ms - 70 * MINUTE_MS),
            Reading("orch-a", "unknown", begun_ms - 60 * MINUTE_MS, "no answer in time"),
        ]
    )
    store.close()


def power(server: Service) -> list[dict[str, Any]]:
    answer: dict[str, list[dict[str, Any]]] = server.get("/api/power")
    assert list(answer) == ["power"]
    return answer["power"]


def test_each_orchestrator_that_was_asked_is_shown_by_its_name(api: Api) -> None:
    assert [each["orchestrator_id"] for each in power(api)] == ["orch-a", "orch-b"]


def test_reading_its_earnings_and_its_account_are_shown(api: Api) -> None:
    begun_ms = MOMENTS["begun"]
    unknown, awake = power(api)
    said = {name: awake[name] for name in ("state", "detail", "billed_ms", "billed_eth", "no_credit", "unbilled_ms")}
    assert said == {
        "state": "awake", "detail": None, "billed_ms": 120_000, "billed_eth": "0.002", "no_credit": None,
        "unbilled_ms": {},
    }  # fmt: skip
    times = {name: parse_time(awake[name]) - begun_ms for name in ("read_at", "since", "metered_from", "awake_until")}
    assert times == {"read_at": 120_000, "since": 0, "metered_from": 0, "awake_until": 720_000}
    assert (unknown["state"], unknown["detail"], unknown["billed_eth"]) == ("unknown", "no answer in time", "0")
    assert unknown["unbilled_ms"] == {"unknown": 10 * MINUTE_MS}


def test_reading_is_fresh_for_as_long_as_the_maximum_gap(api: Api) -> None:
    assert [each["is_fresh"] for each in power(api)] == [False, True]


def test_without_a_reading_the_list_is_empty(tmp_path: Path) -> None:
    with running_api(tmp_path) as empty:
        assert power(empty) == []


@pytest.mark.parametrize(
    ("token", "refusal"), [(None, "unauthenticated"), ("wrong", "unauthenticated"), (Api.REPORTER, "forbidden")]
)
def test_only_viewers_see_it(api: Api, token: str | None, refusal: str) -> None:
    check_problem(send(api, "GET", "/api/power", token=token), refusal)
