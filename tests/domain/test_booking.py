"""Adjustments and payouts are booked once, for their amount; a payout never exceeds what is owed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.domain.booking import decide_booking
from payments.domain.decisions import DUPLICATE, RECORDED, Decision
from payments.domain.entries import ADJUSTMENT, CREDIT, DEBIT, PAYOUT, Entry
from payments.domain.ledger import Adjustment, Balance, Booked, Booking, Payout
from payments.domain.state import State, evolve
from payments.errors import Rejected
from tests.harness import NOON_MS, TERMS, campaign

TX = "0x" + "ab" * 32
BONUS = Adjustment("orch-a", 5, "bonus-1", "for patience")


def execute(state: State, command: Booking, now_ms: int = NOON_MS) -> Decision:
    """Decide ``command`` and fold its entries."""
    decision = decide_booking(command, state, TERMS, now_ms)
    for entry in decision.entries:
        evolve(state, entry)
    return decision


def owing(amount_wei: int) -> State:
    """A state that owes ``orch-a`` this amount."""
    state = State()
    execute(state, Adjustment("orch-a", amount_wei, "opening", "as agreed"))
    return state


def test_an_adjustment_is_an_entry_that_says_why() -> None:
    state = State()
    decision = execute(state, BONUS)
    metadata = {
        "booked_as": "adjustment:bonus-1", "reference": "bonus-1", "note": "for patience", "credit_unit": "eth",
    }  # fmt: skip
    assert decision.entries == (Entry(1, NOON_MS, CREDIT, ADJUSTMENT, "orch-a", 5, 5, metadata, None),)
    assert decision.outcome.kind == RECORDED
    assert decision.outcome.balance == Balance("orch-a", 5, NOON_MS, 1, {"adjustment:bonus-1": Booked(1, 5)})
    assert state.balances["orch-a"] == decision.outcome.balance


def test_a_payout_is_a_debit() -> None:
    state = owing(7)
    entry = execute(state, Payout("orch-a", 7, TX)).entries[0]
    assert (entry.event, entry.reason, entry.delta_wei, entry.balance_wei) == (DEBIT, PAYOUT, -7, 0)


@pytest.mark.parametrize("command", [BONUS, Payout("orch-a", 5, TX)], ids=["adjustment", "payout"])
def test_the_same_again_is_a_duplicate_and_changes_nothing(command: Booking) -> None:
    state = owing(100)
    first = execute(state, command)
    execute(state, Adjustment("orch-a", 1, "between", "x"))
    again = execute(state, command)
    assert (again.outcome.kind, again.entries) == (DUPLICATE, ())
    assert again.outcome.balance.booked[command.key] == Booked(2, command.delta_wei)
    assert state.balances["orch-a"].balance_wei == (first.entries[0].balance_wei or 0) + 1


def test_another_amount_under_the_same_key_is_a_conflict() -> None:
    state = owing(100)
    execute(state, Payout("orch-a", 5, TX))
    with pytest.raises(Rejected, match=r"was booked as -0\.000000000000000005 before, by entry 2") as refusal:
        execute(state, Payout("orch-a", 6, TX))
    assert (refusal.value.kind, list(refusal.value.fields)) == ("conflict", ["tx_hash"])


def test_one_transaction_pays_many_orchestrators() -> None:
    state = owing(5)
    execute(state, Adjustment("orch-b", 5, "opening", "as agreed"))
    for orchestrator_id in ("orch-a", "orch-b"):
        assert execute(state, Payout(orchestrator_id, 5, TX)).outcome.kind == RECORDED


def test_an_adjustment_and_a_payout_of_the_same_name_are_two_things() -> None:
    state = owing(5)
    execute(state, Adjustment("orch-a", 5, TX, "x"))
    assert execute(state, Payout("orch-a", 5, TX)).outcome.kind == RECORDED


@pytest.mark.parametrize("owed_wei", [0, 4, -1])
def test_a_payout_of_more_than_is_owed_is_refused(owed_wei: int) -> None:
    state = owing(owed_wei) if owed_wei else State()
    before = dict(state.balances)
    with pytest.raises(Rejected, match="is more than") as refusal:
        execute(state, Payout("orch-a", 5, TX))
    assert (refusal.value.kind, list(refusal.value.fields)) == ("conflict", ["amount"])
    assert state.balances == before


def test_an_adjustment_may_take_more_than_is_owed() -> None:
    state = State()
    assert execute(state, Adjustment("orch-a", -5, "mistake", "paid by hand")).outcome.balance.balance_wei == -5


ADJUSTMENTS = st.builds(
    Adjustment, st.sampled_from(["a", "b"]), st.integers(-9, 9).filter(bool), st.sampled_from("xyz"), st.just("n")
)
PAYOUTS = st.builds(Payout, st.sampled_from(["a", "b"]), st.integers(1, 9), st.sampled_from(["0x1", "0x2"]))
BOOKINGS: st.SearchStrategy[list[Booking]] = st.lists(ADJUSTMENTS | PAYOUTS, max_size=20)


@given(commands=BOOKINGS, data=st.data())
@campaign(150)
def test_any_bookings_add_up_once_each_and_fold_again_to_the_same(commands: list[Booking], data: st.DataObject) -> None:
    state, entries, booked = State(), list[Entry](), dict[tuple[str, str], int]()
    for command in commands:
        try:
            decision = execute(state, command)
        except Rejected:
            continue
        entries += decision.entries
        booked.setdefault((command.orchestrator_id, command.key), command.delta_wei)
    for name in ("a", "b"):
        owed_wei = sum(delta_wei for (earner, _), delta_wei in booked.items() if earner == name)
        assert state.balance_wei(name) == owed_wei
    expected = dict(state.balances)
    for entry in entries[data.draw(st.integers(0, len(entries))) :]:
        evolve(state, entry)
    assert state.balances == expected
