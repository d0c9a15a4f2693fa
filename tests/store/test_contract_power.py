"""The contract of power readings and retention: they are durable, and the same after every reopening."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from payments.domain.commands import Command
from payments.domain.entries import CREDIT
from payments.domain.money import MS_PER_MINUTE
from payments.domain.readings import AWAKE, UNKNOWN, Reading
from payments.domain.retention import CloseStale, PurgeEnded
from payments.domain.sessions import END, HEARTBEAT, START
from payments.store import EntryQuery, Store
from tests.harness import HOST_B, NOON_MS, TERMS, event, projections, state_of
from tests.store.store_fixture import MINUTE_MS, StoreFixture, all_entries, audited, kinds

MINUTE_WEI = TERMS.rate_wei_per_minute
POWERED = TERMS._replace(power_rate_wei_per_minute=MINUTE_WEI)
GATED = POWERED._replace(require_awake=True)


def at(minute: int) -> int:
    """``minute`` of the story in milliseconds."""
    return NOON_MS + minute * MINUTE_MS


def story() -> list[Command]:
    """Two hosts, one lost for a minute; a session reaped, one resumed after that, one purged, one restarted."""
    return [
        Reading("orch-a", AWAKE, at(0)),
        Reading("orch-b", AWAKE, at(0)),
        event("s-1", START, at(0)),
        event("s-2", START, at(0), upstream_addr=HOST_B),
        event("s-3", END, at(0)),
        event("s-4", END, at(0)),
        Reading("orch-a", AWAKE, at(1)),
        Reading("orch-b", UNKNOWN, at(1), "no answer within 3 s"),
        event("s-1", HEARTBEAT, at(2)),
        event("s-2", HEARTBEAT, at(2), upstream_addr=HOST_B),
        Reading("orch-b", AWAKE, at(3)),
        Reading("orch-b", AWAKE, at(3)),
        Reading("orch-b", AWAKE, at(2)),
        CloseStale("s-1", at(2)),
        CloseStale("s-2", at(1)),
        CloseStale("s-2", at(2)),
        event("s-2", HEARTBEAT, at(4), upstream_addr=HOST_B),
        PurgeEnded("s-3", at(0)),
        PurgeEnded("s-4", at(0)),
        PurgeEnded("s-4", at(0)),
        PurgeEnded("s-2", at(4)),
        event("s-4", START, at(5)),
        Reading("orch-b", AWAKE, at(4)),
    ]


KINDS = (
    ["recorded"] * 11
    + ["duplicate", "recorded", "recorded", "late", "recorded", "recorded"]
    + ["recorded", "recorded", "not-found", "late", "recorded", "recorded"]
)


@pytest.fixture
def told(env: StoreFixture) -> StoreFixture:
    """A store that has recorded the story, one command at a time."""
    env.terms = GATED
    assert kinds([env.store.execute([command])[0] for command in story()]) == KINDS
    return env


def test_readings_and_upkeep_become_what_the_rules_say(told: StoreFixture) -> None:
    state = audited(told.store)
    sessions = [(each.session_id, each.status, each.end_reason, each.incarnation) for each in state.sessions.values()]
    assert sessions == [
        ("s-1", "ended", "timeout", 1),
        ("s-2", "active", None, 1),
        ("s-4", "active", None, 1),
    ]
    assert (state.sessions["s-1"].billed_ms, dict(state.sessions["s-1"].unbilled_ms)) == (2 * MINUTE_MS, {})
    assert (state.power["orch-a"].billed_ms, state.power["orch-b"].billed_ms) == (MINUTE_MS, MINUTE_MS)
    assert dict(state.power["orch-b"].unbilled_ms) == {"unknown": 3 * MINUTE_MS}


def test_a_group_of_them_does_what_they_do_one_by_one(told: StoreFixture, tmp_path: Path) -> None:
    """A command sees what earlier ones in its group have read, closed and purged."""
    grouped = StoreFixture(None if told.folder is None else tmp_path / "grouped")
    grouped.terms = GATED
    assert kinds(grouped.store.execute(story())) == KINDS
    assert all_entries(grouped.store) == all_entries(told.store)
    assert audited(grouped.store) == audited(told.store)
    grouped.close()


def test_entries_of_a_forgotten_session_and_of_power_are_found(told: StoreFixture) -> None:
    reasons = [entry.reason for entry in all_entries(told.store, EntryQuery(session_id="s-3"))]
    assert reasons == ["session_forgotten", "session_opened"]
    assert len(all_entries(told.store, EntryQuery(reason="power_time"))) == 2
    assert len(all_entries(told.store, EntryQuery(reason="power_read", orchestrator_id="orch-b"))) == 4


@pytest.mark.parametrize("kept", ["all", "none", "sessions", "balances", "power_meter"])
@pytest.mark.parametrize("segment_bytes", [1 << 28, 4096], ids=["one-file", "segments"])
def test_a_store_that_is_opened_again_knows_power_and_what_was_forgotten(
    kept: str, segment_bytes: int, tmp_path: Path
) -> None:
    env = StoreFixture(tmp_path, segment_bytes)
    env.terms = GATED
    env.store.execute(story())
    state, entries = audited(env.store), all_entries(env.store)
    env.close()
    for name, path in projections(tmp_path)._asdict().items():
        if kept not in ("all", name):
            path.unlink()
    env.reopen()
    assert (audited(env.store), all_entries(env.store)) == (state, entries)
    assert list(state_of(env.store).sessions) == list(state.sessions)
    env.close()


def test_stores_that_share_files_see_each_others_readings_and_retention(file_env: StoreFixture) -> None:
    file_env.terms = GATED
    stores = [file_env.store, file_env.another()]
    results = [stores[number % 2].execute([command])[0] for number, command in enumerate(story())]
    assert kinds(results) == KINDS
    assert audited(stores[0]) == audited(stores[1])


@pytest.mark.usefixtures("eager_threads")
@pytest.mark.parametrize("skew_ms", [0, 1, 7_000], ids=["same-readings", "a-moment-apart", "seconds-apart"])
def test_workers_that_read_at_the_same_time_pay_no_interval_twice(skew_ms: int, file_env: StoreFixture) -> None:
    """Four meters, two on each of two stores, sweep two hosts a minute apart without waiting for each other."""
    file_env.terms = POWERED
    stores = [file_env.store, file_env.another()] * 2
    sweeps = 20

    def meter(number: int, store: Store) -> None:
        for sweep in range(sweeps):
            read_at_ms = at(sweep) + number * skew_ms
            store.execute([Reading(name, AWAKE, read_at_ms) for name in ("orch-a", "orch-b")])

    with ThreadPoolExecutor(len(stores)) as threads:
        list(threads.map(meter, range(len(stores)), stores))
    state = audited(stores[0])
    assert audited(stores[1]) == state
    for name, power in state.power.items():
        paid = [entry for entry in all_entries(stores[0]) if entry.event == CREDIT and entry.orchestrator_id == name]
        assert len({entry.metadata["interval_start"] for entry in paid}) == len(paid)
        assert power.billed_ms <= power.metered_to_ms - power.metered_from_ms <= at(sweeps - 1) + 3 * skew_ms - at(0)
        assert state.balance_wei(name) == power.billed_wei == MINUTE_WEI * power.billed_ms // MS_PER_MINUTE
