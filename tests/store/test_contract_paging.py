"""The contract of ``entries``: following ``before`` finds exactly the matching entries, whatever the pages."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from payments.domain.entries import Entry
from payments.domain.sessions import END, HEARTBEAT, START
from payments.store import EntryQuery, Store
from tests.harness import NOON_MS, event
from tests.store.store_fixture import MINUTE_MS, StoreFixture, all_entries, pages


@pytest.mark.parametrize("limit", [1, 2, 5, 11, 12, 13, 200])
@pytest.mark.parametrize(
    ("query", "matches"),
    [
        pytest.param(EntryQuery(), lambda entry: True, id="any"),
        pytest.param(
            EntryQuery(orchestrator_id="orch-a"), lambda entry: entry.orchestrator_id == "orch-a", id="orchestrator"
        ),
        pytest.param(EntryQuery(reason="session_time"), lambda entry: entry.reason == "session_time", id="reason"),
        pytest.param(EntryQuery(session_id="s-3"), lambda entry: entry.session.session_id == "s-3", id="session"),
        pytest.param(
            EntryQuery(since_ms=NOON_MS + 4 * MINUTE_MS), lambda entry: entry.seq >= 5, id="since-is-included"
        ),
        pytest.param(EntryQuery(until_ms=NOON_MS + 4 * MINUTE_MS), lambda entry: entry.seq < 5, id="until-is-not"),
        pytest.param(
            EntryQuery("orch-b", "session_time", "s-2", NOON_MS + 5 * MINUTE_MS, NOON_MS + 11 * MINUTE_MS),
            lambda entry: entry.seq in (8, 11),
            id="all-at-once",
        ),
        pytest.param(EntryQuery(session_id="s-9"), lambda entry: False, id="nobody"),
    ],
)
def test_pages_hold_exactly_what_matches(
    minutes: StoreFixture, query: EntryQuery, matches: Callable[[Entry], bool], limit: int
) -> None:
    everything = all_entries(minutes.store)
    read = list(pages(minutes.store, query, limit))
    assert [entry for page in read for entry in page] == [entry for entry in everything if matches(entry)]
    assert max(map(len, read)) <= limit


@pytest.mark.parametrize("before", [0, 1, 2, 7, 12, 13, 10**6])
def test_page_begins_below_before(minutes: StoreFixture, before: int) -> None:
    page = minutes.store.entries(EntryQuery(), before=str(before))
    assert [entry.seq for entry in page.items] == [seq for seq in range(12, 0, -1) if seq < before]
    assert page.before is None


def test_reader_finds_rare_entries_among_thousands_of_others(store: Store) -> None:
    """A page may be short or empty before the end; following ``before`` misses nothing."""
    store.execute([event("rare", START)])
    for _ in range(6):
        store.execute([event("common", HEARTBEAT) for _ in range(1000)])
    store.execute([event("rare", END)])
    read = list(pages(store, EntryQuery(session_id="rare"), limit=2))
    assert [entry.seq for page in read for entry in page] == [6002, 1]


def test_entries_added_meanwhile_do_not_disturb_a_reader(minutes: StoreFixture) -> None:
    first = minutes.store.entries(EntryQuery(), limit=5)
    minutes.store.execute([event("s-4", START), event("s-5", START)])
    second = minutes.store.entries(EntryQuery(), before=first.before)
    assert [entry.seq for page in (first, second) for entry in page.items] == list(range(12, 0, -1))


def test_entries_are_found_by_their_seq_however_long_their_lines(store: Store) -> None:
    """The file engine finds the start of a page by bisection."""
    store.execute(
        [event("s" * (1 + seq * 37 % 128), HEARTBEAT, edge_id="\N{SNOWMAN}" * (seq % 64)) for seq in range(300)]
    )
    for before in range(2, 302):
        assert [entry.seq for entry in store.entries(EntryQuery(), before=str(before), limit=1).items] == [before - 1]


def test_reader_sees_whole_histories_while_others_write(env: StoreFixture) -> None:
    def write(number: int) -> None:
        for _ in range(60):
            env.store.execute([event(f"s-{number}")])

    with ThreadPoolExecutor(4) as threads:
        writing = [threads.submit(write, number) for number in range(4)]
        lengths = [0]
        while not all(writer.done() for writer in writing):
            seqs = [entry.seq for entry in all_entries(env.store, limit=7)]
            assert seqs == list(range(len(seqs), 0, -1))
            lengths.append(len(seqs))
    assert lengths == sorted(lengths)
    assert len(all_entries(env.store)) == 240
