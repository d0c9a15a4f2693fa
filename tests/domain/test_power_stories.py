"""For any readings at any times, time is accounted for once, and paid only between two awake readings."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from payments.domain.entries import CREDIT, Entry
from payments.domain.readings import AWAKE, Reading
from payments.domain.times import read_time
from tests.domain.ledger_driver import MINUTE_MS, LedgerDriver, TimeUse
from tests.harness import NOON_MS, TERMS, campaign

GAP_MS = 180_000
STATES = st.sampled_from(["awake", "awake", "awake", "awake", "asleep", "unknown"])
STEPS_MS = st.integers(1, GAP_MS) | st.integers(GAP_MS - 1, GAP_MS + 1) | st.integers(-10 * MINUTE_MS, 10 * MINUTE_MS)
SKEWS_MS = st.sampled_from([0, 0, -1, -1_000, -MINUTE_MS, MINUTE_MS])
"""Offset of a second worker's clock, or its delay until it records a reading."""

READINGS = st.lists(st.tuples(STEPS_MS, SKEWS_MS, STATES), min_size=2, max_size=25)
RATES_WEI = st.sampled_from([1, 59_999, 10**15 + 1])


def read_all(ledger: LedgerDriver, readings: list[tuple[int, int, str]]) -> list[Reading]:
    """Let ``ledger`` record ``readings``, checking the account after each; return the recorded ones."""
    clock_ms, recorded = NOON_MS, []
    for step_ms, skew_ms, state in readings:
        clock_ms += step_ms
        reading = Reading("orch-a", state, clock_ms + skew_ms)
        if ledger.execute(reading, clock_ms).kind == "recorded":
            recorded.append(reading)
        account = ledger.metered()
        assert account.elapsed_ms == max(each.read_at_ms for each in recorded) - recorded[0].read_at_ms
        assert min([account.billed_ms, *account.unbilled_ms.values()]) >= 0
        assert 0 not in account.unbilled_ms.values()
    return recorded


def interval(entry: Entry) -> tuple[int, int]:
    """The time that ``entry`` accounts for."""
    return read_time(str(entry.metadata["interval_start"])), read_time(str(entry.metadata["interval_end"]))


@given(READINGS, RATES_WEI)
@campaign(300)
def test_credits_are_the_rate_times_the_time_whatever_the_clock_does(
    readings: list[tuple[int, int, str]], rate_wei: int
) -> None:
    ledger = LedgerDriver(TERMS._replace(power_rate_wei_per_minute=rate_wei))
    read_all(ledger, readings)
    assert sum(ledger.credits_wei()) == rate_wei * ledger.metered().billed_ms // MINUTE_MS == ledger.power().billed_wei
    assert ledger.earned_wei() == ({"orch-a": ledger.power().billed_wei} if ledger.metered().billed_ms else {})


@given(READINGS)
@campaign(300)
def test_no_labelled_millisecond_is_accounted_for_twice(readings: list[tuple[int, int, str]]) -> None:
    ledger = LedgerDriver(TERMS._replace(power_rate_wei_per_minute=1))
    read_all(ledger, readings)
    intervals = [interval(entry) for entry in ledger.entries]
    assert all(end_ms == start_ms for (_, end_ms), (start_ms, _) in pairwise(intervals))
    assert all(start_ms <= end_ms for start_ms, end_ms in intervals)


@given(READINGS)
@campaign(300)
def test_only_time_between_two_awake_readings_in_a_row_within_the_gap_is_paid(
    readings: list[tuple[int, int, str]],
) -> None:
    ledger = LedgerDriver(TERMS._replace(power_rate_wei_per_minute=1))
    recorded = read_all(ledger, readings)
    paid = [None, *(entry if entry.event == CREDIT else None for entry in ledger.entries[1:])]
    highest_ms = recorded[0].read_at_ms
    for (before, after), entry in zip(pairwise(recorded), paid[1:], strict=True):
        is_due = before.state == after.state == AWAKE
        is_due = is_due and before.read_at_ms < after.read_at_ms <= before.read_at_ms + GAP_MS
        is_due = is_due and after.read_at_ms > highest_ms
        assert (entry is not None) == is_due
        if entry is not None:
            start_ms, end_ms = interval(entry)
            assert before.read_at_ms <= start_ms == highest_ms
            assert (end_ms, entry.metadata["delta_ms"]) == (after.read_at_ms, end_ms - start_ms)
        highest_ms = max(highest_ms, after.read_at_ms)


@given(st.lists(st.integers(1, GAP_MS), min_size=1, max_size=25), RATES_WEI)
@campaign(100)
def test_awake_readings_in_time_earn_all_of_it(steps_ms: list[int], rate_wei: int) -> None:
    ledger = LedgerDriver(TERMS._replace(power_rate_wei_per_minute=rate_wei))
    read_all(ledger, [(step_ms, 0, AWAKE) for step_ms in steps_ms])
    elapsed_ms = sum(steps_ms[1:])
    assert ledger.metered() == TimeUse(elapsed_ms, elapsed_ms, {})
    assert sum(ledger.credits_wei()) == rate_wei * elapsed_ms // MINUTE_MS


@given(READINGS, st.integers(2, 3))
@campaign(100)
def test_readings_said_again_at_once_change_nothing(readings: list[tuple[int, int, str]], times: int) -> None:
    """A worker without an answer repeats its command."""
    once, again = (LedgerDriver(TERMS._replace(power_rate_wei_per_minute=1)) for _ in range(2))
    for reading in read_all(once, readings):
        kinds = [again.execute(reading, reading.read_at_ms).kind for _ in range(times)]
        assert kinds == ["recorded"] + ["duplicate"] * (times - 1)
    assert again.state.power == once.state.power
    assert again.earned_wei() == once.earned_wei()
