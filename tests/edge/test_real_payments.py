"""The reporter with the real API: credits, a wrong token, and a kill."""

import json
import time
from pathlib import Path

import pytest

from payments.clock import now_ms
from payments.domain.sessions import END, START
from tests.edge.edge import EdgeLife, edge
from tests.edge.reporter_processes import credited, running_reporter, settled
from tests.edge.spools import die
from tests.harness import Clock, Server, until

HOUR_MS = 3_600_000


@pytest.fixture
def open_server(tmp_path: Path, server: Server) -> Server:
    """A server with the orchestrator ``orch-a`` on ``HOST_A``."""
    server.register()
    return server


def an_hour_ago() -> Clock:
    return Clock(now_ms() - 2 * HOUR_MS)


def entitled(life: EdgeLife, server: Server) -> None:
    life.caller._session.headers["X-Session-Token"] = server.REPORTER


def test_a_spool_that_was_thinned_credits_every_millisecond_all_the_same(tmp_path: Path, open_server: Server) -> None:
    with edge(tmp_path / "spool", open_server.url, an_hour_ago(), max_bytes=1 << 16) as life:
        entitled(life, open_server)
        sessions = [life.begin() for _ in range(8)]
        life.pass_s(1800, step_s=2)
        sessions[0].end()
        life.pass_s(1800, step_s=2)
        for session in sessions:
            session.end()
        life.write()
        assert life.spool.dropped > 500
        life.deliver()
    found = credited(open_server)
    assert {name: each["billed_ms"] for name, each in found.items()} == {
        each.session_id: HOUR_MS // 2 if each is sessions[0] else HOUR_MS for each in sessions
    }
    assert {json.dumps(each["unbilled_ms"]) for each in found.values()} == {"{}"}
    (balance,) = open_server.get("/api/ledger/balances")["balances"]
    # 7.5 hours at 0.001 ETH a minute.
    assert balance["balance"] == "0.45"


def test_all_that_was_delivered_may_be_sent_again_and_credits_nothing(tmp_path: Path, open_server: Server) -> None:
    clock = an_hour_ago()
    with edge(tmp_path / "spool", open_server.url, clock) as life:
        entitled(life, open_server)
        session = life.begin()
        life.pass_s(60)
        life.deliver()
        before = open_server.get(f"/api/sessions/{session.session_id}")
        die(life)
    with edge(tmp_path / "spool", open_server.url, clock) as life:
        entitled(life, open_server)
        life.write()
        life.deliver()
    after = open_server.get(f"/api/sessions/{session.session_id}")
    assert (after["billed_ms"], after["billed_eth"]) == (before["billed_ms"], before["billed_eth"])
    assert (before["status"], after["status"], after["last_event"]) == ("active", "ended", END)


def test_a_wrong_token_is_named_in_the_log_and_the_events_are_kept_for_the_right_one(
    tmp_path: Path, open_server: Server
) -> None:
    with running_reporter(tmp_path, open_server.url, PAYMENTS_SESSION_TOKEN="wr0ng") as one:
        opened = one.open(3)
        until(lambda: one.status()["last_error"] is not None)
        one.end(list(opened))
        assert not one.close(1)
    lines = [json.loads(line) for line in one.log.read_text().splitlines()]
    (line,) = [each for each in lines if "PAYMENTS_SESSION_TOKEN" in each["message"]]
    assert line["level"] == "ERROR"
    assert line["message"] == (
        f"PAY-E11 {open_server.url} answers 401 (this call needs a valid token in X-Session-Token, or in "
        "Authorization: Bearer): it does not take the PAYMENTS_SESSION_TOKEN of this edge; events are kept and sent "
        "again later"
    )
    assert "wr0ng" not in one.log.read_text()
    assert credited(open_server) == {}
    with running_reporter(tmp_path, open_server.url) as one:
        settled(one)
        assert one.close(10)
    assert {name: each["status"] for name, each in credited(open_server).items()} == dict.fromkeys(opened, "ended")


def test_a_kill_right_behind_an_open_costs_that_session_only(tmp_path: Path, open_server: Server) -> None:
    """Payments either never hears of it, or gets its start and its end."""
    told: set[str] = set()
    sure: set[str] = set()
    for _ in range(3):
        with running_reporter(tmp_path, open_server.url) as one:
            early = one.open(2)
            until(lambda: one.status()["spool_bytes"] > 0)
            time.sleep(0.2)
            late = one.open(2)
            one.kill()
        sure |= early.keys()
        told |= early.keys() | late.keys()
    with running_reporter(tmp_path, open_server.url) as one:
        settled(one)
        assert one.close(10)
    found = credited(open_server)
    assert sure <= found.keys() <= told
    for each in found.values():
        assert (each["status"], each["last_event"]) == ("ended", END)
        assert each["billed_ms"] < 2000
    reported = open_server.get("/api/ledger/events", limit=2000)["events"]
    starts = [each["metadata"]["session_id"] for each in reported if each["metadata"].get("event") == START]
    assert sorted(starts) == sorted(found)


def test_a_start_with_the_settings_of_an_edge_that_is_at_work_is_refused(tmp_path: Path, open_server: Server) -> None:
    with (
        running_reporter(tmp_path, open_server.url),
        pytest.raises(AssertionError, match="is in use by another reporter"),
        running_reporter(tmp_path, open_server.url),
    ):
        pass
