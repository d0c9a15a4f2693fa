"""``GET /api/sessions/{session_id}``, and how lists keep up while sessions come and go."""

from pathlib import Path

import pytest

from payments.clock import now_ms
from tests.harness import Clock, event, file_store
from tests.web.api import Api
from tests.web.helpers import an_event, check_problem, post_event, send

AWKWARD = [
    "with space", " ", "a/b", "/a", "a/", "a//b", "//", "events", "events/batch", ".", "..", "../..", "a/../b", "%",
    "100%25", "%2F", "%00", "?limit=1", "#", "a&b=c", "a+b", "a;b", "\\", '"', "'", "<script>", "{}", "\u00e9",
    "e\u0301", "\u4e16\u754c", "\U0001f600", "x" * 128, "null", "0",
]  # fmt: skip


def seed(data: Path) -> None:
    """An hour ago: one session that ended after four seconds, one that was never heard of again."""
    begin_ms = now_ms() - 3_600_000
    store = file_store(data, clock=Clock(begin_ms))
    for session_id, kind, after_ms in [("ended", "start", 0), ("silent", "start", 0), ("ended", "end", 4000)]:
        store.execute([event(session_id, kind, begin_ms + after_ms)])
    store.close()


def test_record_has_the_account_of_its_time(api: Api) -> None:
    session = api.get("/api/sessions/ended")
    account = session.pop("account")
    [same] = api.get("/api/sessions", status="ended")["sessions"]
    assert session == same
    assert account == {
        "from": session["started_at"],
        "to": session["ended_at"],
        "elapsed_ms": 4000,
        "billed_ms": 4000,
        "unbilled_ms": {},
    }


def test_silent_session_shows_as_stale_until_its_next_event(api: Api) -> None:
    assert api.get("/api/sessions/silent")["status"] == "stale"
    answer = post_event(api, an_event("silent", "heartbeat")).json()
    assert answer["status"] == api.get("/api/sessions/silent")["status"] == "active"


def test_walk_goes_on_where_it_was_although_sessions_come_and_go(api: Api) -> None:
    def happen(session_id: str, kind: str) -> None:
        post_event(api, an_event(session_id, kind, edge_id="walked"))

    for number in range(4):
        happen(f"walked-{number}", "start")
    page = api.get("/api/sessions", limit=2, edge_id="walked")
    happen("newcomer", "start")
    happen("walked-0", "end")
    rest = api.get("/api/sessions", limit=2, edge_id="walked", cursor=page["next_cursor"])
    walked = [session["session_id"] for session in page["sessions"] + rest["sessions"]]
    assert walked == ["walked-3", "walked-2", "walked-1", "walked-0"]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize("session_id", AWKWARD, ids=ascii)
def test_session_is_found_by_its_id_however_awkward(api: Api, session_id: str) -> None:
    assert post_event(api, an_event(session_id)).status == 200
    escaped = "".join(f"%{byte:02X}" for byte in session_id.encode())
    answer = send(api, "GET", f"/api/sessions/{escaped}", token=api.VIEWER)
    assert (answer.status, answer.json().get("session_id")) == (200, session_id)
    found = api.get("/api/ledger/events", session_id=session_id)["events"]
    assert [entry["metadata"]["session_id"] for entry in found] == [session_id]


@pytest.mark.parametrize("escaped", ["%ff", "%ED%A0%80", "%00", "nobody", "silent%20", "SILENT", "%EF%BF%BD"])
def test_id_that_nobody_has_is_not_found(api: Api, escaped: str) -> None:
    check_problem(send(api, "GET", f"/api/sessions/{escaped}", token=api.VIEWER), "not-found")
