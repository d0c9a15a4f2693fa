"""Sessions are listed in pages, newest first, each once, however many a search must look through."""

from collections.abc import Iterator

import pytest

from payments.domain.sessions import ACTIVE, END, ENDED, HEARTBEAT, STALE, START, Session
from payments.errors import Rejected
from payments.store import SessionQuery, Store, queries
from tests.harness import HOST_A, HOST_B, NOON_MS, event
from tests.store.store_fixture import StoreFixture

NOW_MS, IDLE_MS = NOON_MS + 100_000, 60_000
QUERIES = {
    "any": SessionQuery(),
    "orchestrator": SessionQuery(orchestrator_id="orch-b"),
    "edge": SessionQuery(edge_id="edge-1"),
    "active only": SessionQuery(active_only=True),
    **{
        status: SessionQuery(status=status, now_ms=NOW_MS, idle_timeout_ms=IDLE_MS) for status in (ACTIVE, STALE, ENDED)
    },
    "all at once": SessionQuery("orch-a", "edge-0", STALE, True, NOW_MS, IDLE_MS),
    "none": SessionQuery(edge_id="edge-9"),
}


@pytest.fixture
def sessions(env: StoreFixture) -> list[Session]:
    """Forty sessions, newest first, on two hosts and three edges, of every status; some were reopened after others."""
    for number in range(40):
        at_ms = NOON_MS + 1000 * number * 2
        place = {"upstream_addr": HOST_B if number % 4 else HOST_A, "edge_id": f"edge-{number % 3}"}
        env.store.execute([event(f"s-{number}", START, at_ms, **place)])
        if number % 5 == 0:
            env.store.execute([event(f"s-{number // 2}", END, at_ms), event(f"s-{number // 2}", START, at_ms)])
        if number % 7 == 0:
            env.store.execute([event(f"s-{number}", END, at_ms)])
    found = [env.store.session(f"s-{number}") for number in range(40)]
    return sorted((each for each in found if each), key=lambda each: -each.opened_seq)


def walk(store: Store, query: SessionQuery, limit: int) -> Iterator[list[Session]]:
    before = None
    while True:
        page = store.sessions(query, before=before, limit=limit)
        yield list(page.items)
        if (before := page.before) is None:
            return


@pytest.mark.parametrize(("limit", "most"), [(1, 1), (1, 7), (3, 1), (3, 7), (3, 10_000), (100, 7), (100, 10_000)])
@pytest.mark.parametrize("name", QUERIES)
def test_pages_hold_exactly_what_matches(
    env: StoreFixture, sessions: list[Session], monkeypatch: pytest.MonkeyPatch, *, name: str, limit: int, most: int
) -> None:
    monkeypatch.setattr(queries, "_MAX_SESSIONS_PER_PAGE", most)
    query = QUERIES[name]
    pages = list(walk(env.store, query, limit))
    assert [each for page in pages for each in page] == [each for each in sessions if query.matches(each)]
    assert max(map(len, pages)) <= limit


def test_a_search_that_finds_nothing_stops_and_goes_on(env: StoreFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "_MAX_SESSIONS_PER_PAGE", 10)
    env.store.execute([event(f"s-{number}", HEARTBEAT) for number in range(35)])
    assert [len(page) for page in walk(env.store, SessionQuery(edge_id="nobody"), 5)] == [0, 0, 0, 0]


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.5", "\N{SUPERSCRIPT TWO}", "9" * 20])
def test_invalid_cursor_is_refused_by_name(store: Store, cursor: str) -> None:
    with pytest.raises(Rejected, match="not a cursor") as refusal:
        store.sessions(SessionQuery(), before=cursor)
    assert list(refusal.value.fields) == ["cursor"]
