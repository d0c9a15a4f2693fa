"""The contract of ``payments.store.protocol``, run against every engine."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from payments.domain.commands import Command
from payments.domain.decisions import Outcome
from payments.domain.ledger import Balance
from payments.domain.sessions import END, HEARTBEAT, START
from payments.domain.state import State
from payments.errors import Rejected
from payments.store import EntryQuery, Result, Store
from tests.harness import HOST_A, HOST_B, NOON_MS, TERMS, event, state_of
from tests.store.store_fixture import MINUTE_MS, StoreFixture, all_entries, audited, kinds

MINUTE_WEI = TERMS.rate_wei_per_minute


def test_new_store_is_empty(store: Store) -> None:
    assert state_of(store) == State()
    assert store.entries(EntryQuery()) == ([], None)


def test_each_command_gets_its_result_in_order(store: Store) -> None:
    commands = [
        event(kind=START, event_id="e-1"),
        event(kind=START, event_id="e-1"),
        event(kind=HEARTBEAT, at_ms=NOON_MS + MINUTE_MS, seq=5),
        event(kind=HEARTBEAT, at_ms=NOON_MS + MINUTE_MS, seq=4),
        event(kind=HEARTBEAT, session_id="s-2", upstream_addr=None),
        event(kind=END, at_ms=NOON_MS + 2 * MINUTE_MS),
    ]
    results = store.execute(commands)
    assert kinds(results) == ["recorded", "duplicate", "recorded", "late", "invalid", "recorded"]
    assert isinstance(results[-1], Outcome)
    assert results[-1].session == state_of(store).sessions["s-1"]
    assert results[-1].session.billed_wei == 2 * MINUTE_WEI


def test_no_commands_have_no_results(store: Store) -> None:
    assert list(store.execute([])) == []
    assert state_of(store) == State()


def test_commands_in_a_group_do_what_they_would_do_one_by_one(env: StoreFixture, tmp_path: Path) -> None:
    commands = [
        event(session_id, kind, NOON_MS + number * 7_001, upstream_addr=host)
        for number, (session_id, kind, host) in enumerate(
            (session_id, kind, host)
            for kind in (START, HEARTBEAT, HEARTBEAT, END, END, HEARTBEAT, START, HEARTBEAT)
            for session_id, host in (("s-1", HOST_A), ("s-2", HOST_A), ("s-3", HOST_B))
        )
    ]
    grouped = env.store.execute(commands)
    single = StoreFixture(None if env.folder is None else tmp_path / "single")
    assert [single.store.execute([command])[0] for command in commands] == grouped
    assert all_entries(single.store) == all_entries(env.store)
    assert audited(single.store) == audited(env.store)
    single.close()


def test_rejected_command_leaves_the_others_alone(store: Store) -> None:
    results = store.execute(
        [
            event("s-1", START, event_id="e-1"),
            event("s-1", END, event_id="e-1"),
            event("unknown", HEARTBEAT, upstream_addr=None),
            event("s-2", START, upstream_addr=HOST_B),
            event("s-1", END, NOON_MS + MINUTE_MS),
        ]
    )
    assert kinds(results) == ["recorded", "conflict", "invalid", "recorded", "recorded"]
    assert [type(result) for result in results[1:3]] == [Rejected, Rejected]
    state = audited(store)
    assert list(state.sessions) == ["s-1", "s-2"]
    assert state.balances == {"orch-a": Balance("orch-a", MINUTE_WEI, NOON_MS, 3)}


def test_group_that_is_rejected_as_a_whole_writes_nothing(store: Store) -> None:
    store.execute([event(kind=START)])
    before = all_entries(store)
    assert kinds(store.execute([event("unknown", upstream_addr=None)] * 3)) == ["invalid"] * 3
    assert (all_entries(store), state_of(store).seq) == (before, 1)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        pytest.param({"kind": END, "event_id": "e-2"}, "duplicate", id="duplicate"),
        pytest.param({"kind": HEARTBEAT}, "late", id="late"),
        pytest.param({"kind": HEARTBEAT, "event_id": "e-2"}, "conflict", id="conflict"),
    ],
)
def test_event_without_effect_writes_nothing(store: Store, said: dict[str, Any], kind: str) -> None:
    store.execute([event(kind=START), event(kind=END, event_id="e-2")])
    before = all_entries(store)
    assert kinds(store.execute([event(at_ms=NOON_MS + MINUTE_MS, **said)])) == [kind]
    assert all_entries(store) == before


def test_entry_is_dated_by_the_clock_not_by_the_event(env: StoreFixture) -> None:
    env.clock.now_ms = NOON_MS + 5
    env.store.execute([event(kind=START, at_ms=NOON_MS)])
    assert [entry.timestamp_ms for entry in all_entries(env.store)] == [NOON_MS + 5]


def test_every_group_asks_for_the_terms_again(env: StoreFixture) -> None:
    env.store.execute([event(kind=START, upstream_addr="198.51.100.1")])
    env.terms = TERMS._replace(attribution={"198.51.100.1": "orch-c"}, rate_wei_per_minute=7)
    env.store.execute([event(kind=HEARTBEAT, upstream_addr="198.51.100.1")])
    env.store.execute([event(kind=HEARTBEAT, at_ms=NOON_MS + MINUTE_MS)])
    assert state_of(env.store).balance_wei("orch-c") == 7


def test_seq_counts_up_without_a_hole(minutes: StoreFixture) -> None:
    minutes.store.execute([event(kind=END), event("unknown", upstream_addr=None), event(kind=END), event("s-4", START)])
    assert [entry.seq for entry in all_entries(minutes.store)] == list(range(14, 0, -1))
    assert audited(minutes.store).seq == 14


def test_check_says_how_far_the_store_is(minutes: StoreFixture) -> None:
    engine = "memory" if minutes.folder is None else "file"
    assert minutes.store.check() == {"engine": engine, "seq": 12}


@pytest.mark.usefixtures("eager_threads")
def test_threads_lose_nothing_and_count_nothing_twice(env: StoreFixture) -> None:
    results = in_threads(env, [env.store] * 8)
    assert kinds(results) == ["recorded"] * len(results)
    state = audited(env.store)
    assert state.seq == len(results)
    assert {session.heartbeat_count for session in state.sessions.values()} == {25, 200}


@pytest.mark.usefixtures("eager_threads")
def test_same_event_from_all_threads_at_once_counts_once(env: StoreFixture) -> None:
    env.store.execute([event(kind=START)])
    together = Barrier(8)

    def report(_: int) -> Result:
        together.wait()
        return env.store.execute([event(kind=HEARTBEAT, at_ms=NOON_MS + MINUTE_MS, event_id="e-1")])[0]

    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(report, range(8)))
    assert sorted(kinds(results)) == ["duplicate"] * 7 + ["recorded"]
    assert audited(env.store).balance_wei("orch-a") == MINUTE_WEI


@pytest.mark.usefixtures("eager_threads")
def test_threads_of_stores_that_share_files_lose_nothing(file_env: StoreFixture) -> None:
    stores = [file_env.store, file_env.another()]
    results = in_threads(file_env, stores * 4)
    assert [audited(store).seq for store in stores] == [len(results)] * 2
    assert all_entries(stores[0]) == all_entries(stores[1])


def test_view_shows_what_another_store_has_acknowledged(file_env: StoreFixture) -> None:
    mine, other = file_env.store, file_env.another()
    for minute in range(6):
        writer, reader = (mine, other) if minute % 2 else (other, mine)
        (outcome,) = writer.execute([event(kind=HEARTBEAT, at_ms=NOON_MS + minute * MINUTE_MS)])
        assert isinstance(outcome, Outcome)
        assert state_of(reader).sessions["s-1"] == outcome.session
        assert reader.entries(EntryQuery(), limit=1).items[0].session == outcome.session
        assert reader.check()["seq"] == minute + 1
    assert audited(mine) == audited(other)


def test_command_rests_on_what_another_store_has_acknowledged(file_env: StoreFixture) -> None:
    mine, other = file_env.store, file_env.another()
    mine.execute([event(kind=START)])
    (outcome,) = other.execute([event(kind=END, at_ms=NOON_MS + MINUTE_MS, upstream_addr=None)])
    assert isinstance(outcome, Outcome)
    assert outcome.session.billed_wei == MINUTE_WEI
    assert kinds(mine.execute([event(kind=END, at_ms=NOON_MS + 2 * MINUTE_MS)])) == ["duplicate"]


def test_store_that_is_opened_again_is_as_it_was(file_env: StoreFixture) -> None:
    file_env.store.execute([event(kind=START), event("s-2", START), event(kind=END, at_ms=NOON_MS + MINUTE_MS)])
    file_env.store.execute([event(kind=START, at_ms=NOON_MS + 2 * MINUTE_MS)])
    state, entries = audited(file_env.store), all_entries(file_env.store)
    file_env.reopen()
    assert (audited(file_env.store), all_entries(file_env.store)) == (state, entries)
    assert list(state_of(file_env.store).sessions) == list(state.sessions) == ["s-2", "s-1"]


def test_sessions_keep_their_order_over_a_crash_between_two_projections(file_env: StoreFixture) -> None:
    """``sessions.json`` is then newer than ``balances.json``, and the entries between are folded again."""
    assert file_env.folder is not None
    balances_path = file_env.folder / "balances.json"
    file_env.store.execute([event("s-1", START)])
    older = balances_path.read_bytes()
    file_env.store.execute([event("s-1", END), event("s-1", START), event("s-2", START)])
    file_env.close()
    balances_path.write_bytes(older)
    file_env.reopen()
    assert list(audited(file_env.store).sessions) == ["s-1", "s-2"]


def test_upkeep_changes_nothing_that_anyone_sees(env: StoreFixture) -> None:
    """Compares before and after in the store that did it, in another one, and in a new one."""
    stores = [env.store, env.store if env.folder is None else env.another()]
    for number in range(24):
        stores[number % 2].execute([event(f"s-{number % 3}", at_ms=NOON_MS + number * 1000)])
    state, entries = state_of(env.store), all_entries(env.store)
    env.store.maintain()
    for store in stores:
        assert (state_of(store), all_entries(store, limit=5)) == (state, entries)
    if env.folder is not None:
        env.reopen()
        assert (state_of(env.store), all_entries(env.store)) == (state, entries)


def in_threads(env: StoreFixture, stores: list[Store]) -> list[Result]:
    """A thread for each of ``stores`` commits 25 groups: a heartbeat of a shared session, and one of its own."""

    def report(number: int, store: Store) -> list[Result]:
        results: list[Result] = []
        for step in range(25):
            at_ms = NOON_MS + step * 997 + number
            group: list[Command] = [event("shared", at_ms=at_ms), event(f"own-{number}", at_ms=at_ms)]
            results += store.execute(group)
        return results

    with ThreadPoolExecutor(len(stores)) as threads:
        return [result for results in threads.map(report, range(len(stores)), stores) for result in results]
