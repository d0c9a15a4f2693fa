"""``GET /api/orchestrators/{id}/stats``: earnings by day and reason."""

from collections import Counter
from pathlib import Path
from typing import Any

from payments.clock import now_ms
from payments.domain.ledger import Adjustment, Payout
from payments.domain.money import parse_signed_eth
from payments.domain.times import format_time
from tests.harness import HOST_A, HOST_B, Clock, Service, event, file_store
from tests.web.api import Api
from tests.web.helpers import check_problem, send, wrong_fields

DAY_MS = 86_400_000
TODAY_MS = now_ms() // DAY_MS * DAY_MS
CROWD = 3_000
"""More entries of one orchestrator in a day than one call looks at."""


def day(ago: int) -> str:
    return format_time(TODAY_MS - ago * DAY_MS)[:10]


def passed() -> int:
    """How many days are over since; a run may begin before midnight."""
    return (now_ms() - TODAY_MS) // DAY_MS


def seed(data: Path) -> None:
    clock = Clock()
    store = file_store(data, clock=clock)

    def at(ago: int, minute: int, *commands: Any) -> None:
        clock.now_ms = TODAY_MS - ago * DAY_MS + minute * 60_000
        store.execute([each(clock.now_ms) if callable(each) else each for each in commands])

    def beat(session_id: str, host: str) -> Any:
        return lambda now: event(session_id, "heartbeat", now, upstream_addr=host)

    at(40, 0, beat("s-old", HOST_A))
    at(40, 1, beat("s-old", HOST_A))
    at(2, 1439, beat("s-a", HOST_A), beat("s-b", HOST_B))
    at(1, 1, beat("s-a", HOST_A), beat("s-b", HOST_B))
    at(1, 2, Adjustment("orch-a", -(10**15), "r-1", "because"), Payout("orch-a", 10**15, f"0x{'0' * 64}"))
    at(0, 0, beat("s-a", HOST_A))
    at(3, 0, *(beat(f"c-{number}", HOST_B) for number in range(CROWD)))
    store.close()


def stats(server: Service, orchestrator_id: str, **query: Any) -> Any:
    return server.get(f"/api/orchestrators/{orchestrator_id}/stats", **query)


def test_sums_are_by_day_and_reason_newest_first(api: Api) -> None:
    answer = stats(api, "orch-a")
    assert answer == {
        "orchestrator_id": "orch-a",
        "since": format_time(TODAY_MS - (29 - passed()) * DAY_MS),
        "stats": [
            {"day": day(0), "reason": "session_time", "entries": 1, "delta": "1.439"},
            {"day": day(1), "reason": "session_time", "entries": 1, "delta": "0.002"},
            {"day": day(1), "reason": "payout", "entries": 1, "delta": "-0.001"},
            {"day": day(1), "reason": "adjustment", "entries": 1, "delta": "-0.001"},
        ],
        "complete": True,
        "next_cursor": None,
    }


def test_days_are_whole_and_today_is_one_of_them(api: Api) -> None:
    assert {row["day"] for row in stats(api, "orch-a", days=1 + passed())["stats"]} == {day(0)}
    assert {row["day"] for row in stats(api, "orch-a", days=2 + passed())["stats"]} == {day(0), day(1)}
    assert {row["day"] for row in stats(api, "orch-a", days=41 + passed())["stats"]} == {
        day(0),
        day(1),
        day(40),
    }


def test_sums_of_all_pages_are_those_of_the_ledger(api: Api) -> None:
    sums: Counter[tuple[str, str]] = Counter()
    pages, cursor = 0, dict[str, str]()
    while True:
        answer = stats(api, "orch-b", days=41 + passed(), **cursor)
        pages += 1
        for row in answer["stats"]:
            sums[row["day"], row["reason"]] += parse_signed_eth(row["delta"])
        assert answer["complete"] == (answer["next_cursor"] is None)
        if answer["complete"]:
            break
        cursor = {"cursor": answer["next_cursor"]}
    balances = api.get("/api/ledger/balances")["balances"]
    [balance] = [each["balance"] for each in balances if each["orchestrator_id"] == "orch-b"]
    assert sum(sums.values()) == parse_signed_eth(balance)
    assert pages > 1


def test_days_before_the_first_end_the_search(api: Api) -> None:
    """Not so the other way round: entries of the last days may lie below others whose clock was behind."""
    assert stats(api, "orch-b", days=1)["complete"]


def test_orchestrator_without_earnings_has_none(api: Api) -> None:
    api.register("orch-new", "192.0.2.1")
    assert stats(api, "orch-new")["stats"] == []


def test_unknown_orchestrator_and_bad_parameters_are_refused(api: Api) -> None:
    path = "/api/orchestrators/{}/stats{}".format
    check_problem(send(api, "GET", path("nobody", ""), token=api.VIEWER), "not-found")
    for parameter in ("days=0", "cursor=x"):
        answer = send(api, "GET", path("orch-a", f"?{parameter}"), token=api.VIEWER)
        assert wrong_fields(answer) == [parameter.partition("=")[0]]
