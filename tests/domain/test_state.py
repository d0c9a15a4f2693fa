"""Folding entries into a state, once or twice."""

from hypothesis import given
from hypothesis import strategies as st

from payments.domain.commands import decide
from payments.domain.decisions import Outcome
from payments.domain.entries import Entry
from payments.domain.readings import Reading
from payments.domain.sessions import ACTIVE, END, EVENTS, HEARTBEAT, START, STATUSES, Session
from payments.domain.state import State, evolve
from tests.domain.ledger_driver import MINUTE_WEI, LedgerDriver, at
from tests.harness import HOST_A, HOST_B, TERMS, campaign, event

RETENTION, READING = "retention", "reading"
STORIES = st.lists(
    st.tuples(
        st.sampled_from(["s-1", "s-2", "s-3"]),
        st.sampled_from([*EVENTS, RETENTION, READING]),
        st.sampled_from([HOST_A, HOST_B]),
    ),
    min_size=1,
    max_size=15,
)


def told(story: list[tuple[str, str, str]]) -> LedgerDriver:
    """The ledger of ``story``, a step a second: retention reaps an active session, and forgets an ended one."""
    ledger = LedgerDriver(TERMS._replace(power_rate_wei_per_minute=MINUTE_WEI))
    for second, (session_id, kind, host) in enumerate(story):
        session = ledger.state.sessions.get(session_id)
        if kind == READING:
            ledger.read(second, orchestrator_id=TERMS.attribution[host])
        elif kind != RETENTION:
            ledger.report(kind, second, session_id=session_id, upstream_addr=host)
        elif session is not None and session.status == ACTIVE:
            ledger.reap(session_id)
        elif session is not None:
            ledger.forget(session_id)
    return ledger


def folded(entries: list[Entry], state: State | None = None) -> State:
    """``state``, empty unless given, after ``entries``."""
    state = state or State()
    for entry in entries:
        evolve(state, entry)
    return state


@given(STORIES, st.integers(0, 20), st.booleans())
@campaign(200)
def test_totals_are_what_counting_everything_comes_to(
    story: list[tuple[str, str, str]], silent_s: int, by_draft: bool
) -> None:
    """The same state results from folding, from an adopted draft, and from a survey."""
    entries = told(story).entries
    state = State()
    state.build_overview()
    for entry in entries:
        draft = state.draft() if by_draft else state
        evolve(draft, entry)
        if by_draft:
            state.adopt(draft)
    now_ms = at(len(story))
    found = state.totals(now_ms, 1000 * silent_s)
    sessions = [session.status_at(now_ms, 1000 * silent_s) for session in state.sessions.values()]
    credited_wei: dict[str, int] = dict.fromkeys(found.credited_wei, 0)
    for entry in entries:
        if entry.delta_wei is not None:
            credited_wei[entry.reason] += entry.delta_wei
    owed_wei = sum(balance.balance_wei for balance in state.balances.values())
    counts = {status: sessions.count(status) for status in STATUSES}
    assert found == (len(entries), counts, 0, credited_wei, owed_wei)
    state.build_overview()
    assert state.totals(now_ms, 1000 * silent_s) == found


@given(STORIES)
@campaign(100)
def test_entries_alone_make_the_state(story: list[tuple[str, str, str]]) -> None:
    ledger = told(story)
    again = folded(ledger.entries)
    assert again == ledger.state
    assert list(again.sessions) == list(ledger.state.sessions)


@given(STORIES)
@campaign(100)
def test_sessions_stand_in_the_order_of_their_opening(story: list[tuple[str, str, str]]) -> None:
    opened = [session.opened_seq for session in told(story).state.sessions.values()]
    assert opened == sorted(opened)


@given(story=STORIES, data=st.data())
@campaign(150)
def test_folding_entries_again_with_all_that_follow_changes_nothing(
    story: list[tuple[str, str, str]], data: st.DataObject
) -> None:
    """A start may load sessions of one moment and balances of an earlier one."""
    ledger = told(story)
    entries = ledger.entries
    shown = folded(entries[: data.draw(st.integers(0, len(entries)), label="entries in the projection")])
    again = folded(entries[data.draw(st.integers(0, shown.seq), label="entries not folded again") :], shown)
    again.sort_sessions()
    assert again == ledger.state
    assert list(again.sessions) == list(ledger.state.sessions)


@given(story=STORIES, data=st.data())
@campaign(150)
def test_state_that_adopts_drafts_is_the_fold_of_their_entries(
    story: list[tuple[str, str, str]], data: st.DataObject
) -> None:
    ledger = told(story)
    state, entries = State(), list(ledger.entries)
    while entries:
        count = data.draw(st.integers(1, len(entries)), label="entries in the draft")
        state.adopt(folded(entries[:count], state.draft()))
        del entries[:count]
    assert state == ledger.state
    assert list(state.sessions) == list(ledger.state.sessions)


def test_reopened_session_stands_last_after_a_fold_that_began_late() -> None:
    ledger = told([("s-1", START, HOST_A), ("s-1", END, HOST_A), ("s-1", START, HOST_A), ("s-2", START, HOST_A)])
    again = folded(ledger.entries[1:], folded(ledger.entries))
    again.sort_sessions()
    assert list(again.sessions) == ["s-1", "s-2"]


def test_draft_evolves_without_touching_what_it_was_drawn_from() -> None:
    ledger = told([("s-1", START, HOST_A), ("s-1", HEARTBEAT, HOST_A)])
    before = folded(ledger.entries)
    draft = ledger.state.draft()
    first = decided(draft, "s-1", 61)
    second = decided(draft, "s-1", 121)
    assert (first.session.billed_ms, second.session.billed_ms) == (61_000, 121_000)
    assert draft.balance_wei("orch-a") == 121 * MINUTE_WEI // 60
    assert (draft.seq, ledger.state) == (4, before)


def test_draft_shows_what_lies_below_until_it_evolves() -> None:
    ledger = told([("s-1", START, HOST_A), ("", READING, HOST_A)])
    draft = ledger.state.draft()
    assert draft.sessions.get("s-1") == ledger.session("s-1")
    assert draft.power.get("orch-a") == ledger.power("orch-a")
    assert (draft.sessions.get("s-2"), draft.power.get("orch-b"), draft.balances.get("orch-b")) == (None, None, None)


def test_what_a_draft_forgets_is_gone_from_it_alone() -> None:
    ledger = told([("s-1", END, HOST_A)])
    before = folded(ledger.entries)
    draft = ledger.state.draft()
    folded(told([("s-1", END, HOST_A), ("s-1", RETENTION, HOST_A)]).entries[1:], draft)
    assert draft.sessions.get("s-1") is None
    assert draft.sessions.get("s-1", ledger.session()) == ledger.session()
    assert ledger.state == before


def test_session_that_a_draft_forgot_may_begin_again_in_it() -> None:
    ledger = told([("s-1", END, HOST_A)])
    draft = ledger.state.draft()
    folded(told([("s-1", END, HOST_A), ("s-1", RETENTION, HOST_A)]).entries[1:], draft)
    begun = decided(draft, "s-1", 60)
    assert (begun.session.incarnation, begun.session.opened_seq) == (1, 3)
    assert draft.sessions.get("s-1") == begun.session


def test_draft_goes_by_the_readings_decided_on_it() -> None:
    """A reading and a heartbeat in one commit: the reading covers the time that the heartbeat bills."""
    gated = TERMS._replace(require_awake=True)
    ledger = told([("s-1", START, HOST_A)])
    draft = ledger.state.draft()
    folded(list(decide(Reading("orch-a", "awake", at(0)), draft, gated, at(0)).entries), draft)
    outcome, _ = decide(event("s-1", HEARTBEAT, at(60)), draft, gated, at(60))
    assert (outcome.session.billed_ms, outcome.session.unbilled_ms) == (60_000, {})
    assert ledger.state.power == {}


def test_forgotten_session_is_forgotten_by_a_fold_that_began_late() -> None:
    story = [("s-1", START, HOST_A), ("s-1", END, HOST_A), ("s-1", RETENTION, HOST_A), ("s-1", START, HOST_A)]
    for length in (3, 4):
        ledger = told(story[:length])
        for begun in range(length):
            assert folded(ledger.entries[begun:], folded(ledger.entries)) == ledger.state


def test_orchestrator_that_never_earned_is_owed_nothing() -> None:
    assert State().balance_wei("orch-a") == State().draft().balance_wei("orch-a") == 0


def test_record_shows_stale_only_while_active_and_silent_for_longer_than_allowed() -> None:
    ledger = told([("s-1", START, HOST_A), ("s-2", END, HOST_A)])
    active, ended = ledger.session("s-1"), ledger.session("s-2")
    shown: dict[int, str] = {second: stale_after_two_minutes(active, second) for second in (0, 120, 121)}
    assert shown == {0: "active", 120: "active", 121: "stale"}
    assert stale_after_two_minutes(ended, 1000) == "ended"


def stale_after_two_minutes(session: Session, second: int) -> str:
    """The status of ``session`` at ``second``."""
    return session.status_at(at(second), idle_timeout_ms=120_000)


def decided(draft: State, session_id: str, second: int) -> Outcome:
    """Decide a heartbeat on ``draft`` and fold it in."""
    outcome, entries = decide(event(session_id, HEARTBEAT, at(second)), draft, TERMS, at(second))
    folded(list(entries), draft)
    return outcome
