"""What readings of an orchestrator's power earn: rules 6.1 to 6.3."""

from typing import Any

import pytest

from payments.domain.readings import PowerState
from tests.domain.ledger_driver import MINUTE_MS, MINUTE_WEI, LedgerDriver, TimeUse, at
from tests.harness import TERMS

POWERED = TERMS._replace(power_rate_wei_per_minute=MINUTE_WEI)
"""A minute of power earns as much as a minute of a session; readings may be three minutes apart."""

ASLEEP_MINUTE = TimeUse(MINUTE_MS, 0, {"asleep": MINUTE_MS})


@pytest.fixture
def ledger() -> LedgerDriver:
    """An empty ledger under ``POWERED``."""
    return LedgerDriver(POWERED)


def test_first_awake_reading_begins_an_interval_and_earns_nothing(ledger: LedgerDriver) -> None:
    assert ledger.read(0) == "recorded"
    assert ledger.power() == PowerState(
        "orch-a", "awake", None, at(0), at(0), at(0), at(180), at(0), at(0), billed_ms=0, billed_wei=0, remainder=0,
        last_credited_wei=0, no_credit="first_reading", unbilled_ms={},
    )  # fmt: skip
    assert (ledger.metered(), ledger.credits_wei(), ledger.earned_wei()) == (TimeUse(0, 0, {}), [], {})


def test_two_awake_readings_earn_the_time_between_them(ledger: LedgerDriver) -> None:
    ledger.read(0)
    assert ledger.read(60) == "recorded"
    assert ledger.power() == PowerState(
        "orch-a", "awake", None, at(60), at(0), at(0), at(240), at(0), at(60), billed_ms=MINUTE_MS,
        billed_wei=MINUTE_WEI, remainder=0, last_credited_wei=MINUTE_WEI, no_credit=None, unbilled_ms={},
    )  # fmt: skip
    assert ledger.earned_wei() == {"orch-a": MINUTE_WEI}


def test_drifting_cadence_costs_nobody_anything(ledger: LedgerDriver) -> None:
    for second in (0, 61, 119, 187, 240, 301, 481):
        ledger.read(second)
    assert ledger.metered() == TimeUse(481_000, 481_000, {})
    assert ledger.earned_wei() == {"orch-a": 481 * MINUTE_WEI // 60}


@pytest.mark.parametrize(
    ("readings", "account", "no_credit"),
    [
        pytest.param([(0, "awake"), (60, "asleep")], ASLEEP_MINUTE, "asleep", id="fell-asleep"),
        pytest.param([(0, "asleep"), (60, "awake")], ASLEEP_MINUTE, "asleep", id="woke-up"),
        pytest.param([(0, "asleep"), (60, "asleep")], ASLEEP_MINUTE, "asleep", id="slept"),
        pytest.param([(0, "awake"), (60, "waking")], ASLEEP_MINUTE, "asleep", id="other-word"),
        pytest.param([(0, "awake"), (60, "Awake")], ASLEEP_MINUTE, "asleep", id="other-case"),
        pytest.param([(0, "awake"), (60, "unknown")], TimeUse(60_000, 0, {"unknown": 60_000}), "unknown", id="lost"),
        pytest.param([(0, "unknown"), (60, "awake")], TimeUse(60_000, 0, {"unknown": 60_000}), "unknown", id="found"),
        pytest.param(
            [(0, "unknown"), (60, "asleep")], TimeUse(60_000, 0, {"unknown": 60_000}), "unknown", id="found-asleep"
        ),
        pytest.param([(0, "awake"), (180, "awake")], TimeUse(180_000, 180_000, {}), None, id="at-the-maximum-gap"),
        pytest.param([(0, "awake"), (181, "awake")], TimeUse(181_000, 0, {"gap": 181_000}), "gap", id="behind-it"),
        pytest.param([(0, "awake"), (181, "unknown")], TimeUse(181_000, 0, {"gap": 181_000}), "gap", id="gap-first"),
        pytest.param([(60, "awake"), (0, "awake")], TimeUse(0, 0, {}), "clock", id="clock-stepped-back"),
    ],
)  # fmt: skip
def test_time_between_two_readings(
    readings: list[tuple[int, str]], account: TimeUse, no_credit: str | None, ledger: LedgerDriver
) -> None:
    for second, state in readings:
        assert ledger.read(second, state) == "recorded"
    assert (ledger.metered(), ledger.power().no_credit) == (account, no_credit)
    assert ledger.earned_wei() == ({"orch-a": account.billed_ms * MINUTE_WEI // MINUTE_MS} if account.billed_ms else {})


@pytest.mark.parametrize("between", ["unknown", "asleep"])
def test_power_earns_again_from_the_second_awake_reading_on(between: str, ledger: LedgerDriver) -> None:
    for second, state in ((0, "awake"), (60, "awake"), (120, between), (180, "awake"), (240, "awake")):
        ledger.read(second, state)
    assert ledger.metered() == TimeUse(4 * MINUTE_MS, 2 * MINUTE_MS, {between: 2 * MINUTE_MS})
    assert ledger.credits_wei() == [MINUTE_WEI, MINUTE_WEI]


def test_power_earns_again_after_a_gap(ledger: LedgerDriver) -> None:
    for second in (0, 60, 600, 660):
        ledger.read(second)
    assert ledger.metered() == TimeUse(11 * MINUTE_MS, 2 * MINUTE_MS, {"gap": 9 * MINUTE_MS})


def test_detail_is_that_of_the_last_reading(ledger: LedgerDriver) -> None:
    ledger.read(0, "unknown", detail="no answer within 3 s")
    assert ledger.power().detail == "no answer within 3 s"
    assert ledger.entries[-1].metadata["detail"] == "no answer within 3 s"
    ledger.read(60)
    assert ledger.power().detail is None
    assert "detail" not in ledger.entries[-1].metadata


def test_clock_that_steps_back_pays_no_labelled_moment_twice(ledger: LedgerDriver) -> None:
    """Noon to 12:02 is paid; the clock goes back a minute and shows 12:01 to 12:02 a second time."""
    reasons = []
    for second in (0, 60, 120, 60, 90, 120, 150, 180):
        ledger.read(second)
        reasons.append(ledger.power().no_credit)
    assert reasons == ["first_reading", None, None, "clock", "clock", "clock", None, None]
    assert ledger.metered() == TimeUse(3 * MINUTE_MS, 3 * MINUTE_MS, {})
    assert ledger.earned_wei() == {"orch-a": 3 * MINUTE_WEI}


def test_reading_past_what_was_metered_pays_from_there(ledger: LedgerDriver) -> None:
    for second in (0, 60, 30, 90):
        ledger.read(second)
    assert [(entry.metadata["interval_start"], entry.metadata["interval_end"]) for entry in ledger.entries[2:]] == [
        ("2027-01-15T08:01:00.000Z", "2027-01-15T08:01:00.000Z"),
        ("2027-01-15T08:01:00.000Z", "2027-01-15T08:01:30.000Z"),
    ]
    assert ledger.credits_wei() == [MINUTE_WEI, MINUTE_WEI // 2]


def test_clock_that_steps_far_ahead_is_a_gap_and_back_again_earns_nothing_until_it_gets_there(
    ledger: LedgerDriver,
) -> None:
    for second in (0, 60, 3660, 120, 180, 3600, 3660, 3720):
        ledger.read(second)
    assert ledger.metered() == TimeUse(3_720_000, 2 * MINUTE_MS, {"gap": 3_600_000})
    assert ledger.credits_wei() == [MINUTE_WEI, MINUTE_WEI]


def test_same_reading_again_is_a_duplicate(ledger: LedgerDriver) -> None:
    for second in (0, 60):
        ledger.read(second)
    before, count = ledger.power(), len(ledger.entries)
    assert [ledger.read(60), ledger.read(60, detail="said twice")] == ["duplicate", "duplicate"]
    assert (ledger.power(), len(ledger.entries)) == (before, count)


def test_first_reading_again_is_a_duplicate(ledger: LedgerDriver) -> None:
    assert [ledger.read(0), ledger.read(0)] == ["recorded", "duplicate"]


def test_other_state_at_the_same_moment_is_recorded_and_ends_the_interval(ledger: LedgerDriver) -> None:
    ledger.read(0)
    assert ledger.read(0, "asleep") == "recorded"
    ledger.read(60)
    assert ledger.metered() == TimeUse(MINUTE_MS, 0, {"asleep": MINUTE_MS})


def test_earlier_reading_of_a_second_worker_pays_nothing_and_costs_nothing(ledger: LedgerDriver) -> None:
    """It asked a second before the first worker, but recorded the answer later."""
    for second in (0, 60, 59, 120, 119, 180):
        assert ledger.read(second) == "recorded"
    assert ledger.metered() == TimeUse(3 * MINUTE_MS, 3 * MINUTE_MS, {})
    assert ledger.earned_wei() == {"orch-a": 3 * MINUTE_WEI}


def test_two_workers_that_take_turns_pay_what_one_does(ledger: LedgerDriver) -> None:
    for second in (0, 17, 60, 77, 120, 137, 180):
        ledger.read(second)
    assert ledger.earned_wei() == {"orch-a": 3 * MINUTE_WEI}


def test_rate_zero_is_unpriced() -> None:
    ledger = LedgerDriver(TERMS)
    ledger.read(0)
    ledger.read(60)
    assert ledger.metered() == TimeUse(MINUTE_MS, 0, {"unpriced": MINUTE_MS})
    assert (ledger.power().no_credit, ledger.credits_wei(), ledger.earned_wei()) == ("unpriced", [], {})


def test_asleep_comes_before_unpriced() -> None:
    ledger = LedgerDriver(TERMS)
    ledger.read(0, "asleep")
    ledger.read(60)
    assert ledger.metered() == TimeUse(MINUTE_MS, 0, {"asleep": MINUTE_MS})


def test_session_rate_does_not_price_power() -> None:
    ledger = LedgerDriver(POWERED._replace(rate_wei_per_minute=0))
    ledger.read(0)
    ledger.read(60)
    assert ledger.earned_wei() == {"orch-a": MINUTE_WEI}


def test_wei_that_do_not_fill_up_are_kept_over_readings_that_earn_nothing() -> None:
    """At one wei a minute, three intervals of 20 s earn one wei, with an hour of sleep in between."""
    ledger = LedgerDriver(TERMS._replace(power_rate_wei_per_minute=1))
    for second, state in (
        (0, "awake"),
        (20, "awake"),
        (40, "asleep"),
        (3640, "awake"),
        (3660, "awake"),
        (3680, "awake"),
    ):
        ledger.read(second, state)
    assert ledger.credits_wei() == [0, 0, 1]
    assert (ledger.power().billed_wei, ledger.power().remainder) == (1, 0)


def test_credit_of_nothing_is_the_last_one_credited() -> None:
    ledger = LedgerDriver(TERMS._replace(power_rate_wei_per_minute=1))
    for second in (0, 60, 70):
        ledger.read(second)
    assert (ledger.power().last_credited_wei, ledger.power().remainder) == (0, 10_000)


def test_last_credit_is_remembered_over_readings_that_earn_nothing(ledger: LedgerDriver) -> None:
    for second, state in ((0, "awake"), (60, "awake"), (120, "asleep")):
        ledger.read(second, state)
    assert (ledger.power().last_credited_wei, ledger.power().no_credit) == (MINUTE_WEI, "asleep")


def test_state_lasts_since_the_first_reading_in_a_row_that_said_so(ledger: LedgerDriver) -> None:
    since = []
    for second, state in (
        (0, "awake"),
        (60, "awake"),
        (120, "asleep"),
        (180, "asleep"),
        (900, "asleep"),
        (960, "awake"),
    ):
        ledger.read(second, state)
        since.append(ledger.power().since_ms)
    assert since == [at(second) for second in (0, 0, 120, 120, 120, 960)]


@pytest.mark.parametrize(
    ("readings", "stretch"),
    [
        pytest.param([(0, "asleep")], (0, 0), id="none-before-the-first-awake-reading"),
        pytest.param([(0, "awake")], (0, 180), id="one-reading-covers-the-maximum-gap"),
        pytest.param([(0, "awake"), (60, "awake"), (240, "awake")], (0, 420), id="readings-in-time-prolong-it"),
        pytest.param([(0, "awake"), (181, "awake")], (181, 361), id="a-gap-begins-another"),
        pytest.param([(0, "awake"), (60, "asleep")], (0, 60), id="asleep-ends-it"),
        pytest.param([(0, "awake"), (60, "unknown")], (0, 60), id="unknown-ends-it"),
        pytest.param([(0, "awake"), (300, "asleep")], (0, 180), id="asleep-after-it-ended-does-not-prolong-it"),
        pytest.param([(0, "awake"), (60, "asleep"), (90, "awake")], (90, 270), id="it-does-not-go-on-after-sleep"),
        pytest.param([(0, "awake"), (60, "asleep"), (30, "awake")], (30, 210), id="nor-where-the-clock-steps-back"),
        pytest.param([(0, "awake"), (60, "awake"), (59, "awake")], (0, 239), id="a-second-worker-does-not-break-it"),
        pytest.param([(600, "awake"), (0, "awake")], (0, 180), id="a-clock-that-steps-back-begins-another"),
    ],
)
def test_awake_stretch(readings: list[tuple[int, str]], stretch: tuple[int, int], ledger: LedgerDriver) -> None:
    for second, state in readings:
        ledger.read(second, state)
    assert (ledger.power().awake_from_ms, ledger.power().awake_until_ms) == (at(stretch[0]), at(stretch[1]))


def test_orchestrators_are_metered_apart(ledger: LedgerDriver) -> None:
    for second in (0, 60):
        ledger.read(second)
        ledger.read(second, orchestrator_id="orch-b")
    before = ledger.power("orch-b")
    ledger.read(120)
    assert ledger.power("orch-b") == before
    assert ledger.earned_wei() == {"orch-a": 2 * MINUTE_WEI, "orch-b": MINUTE_WEI}


def test_power_and_sessions_share_a_balance(ledger: LedgerDriver) -> None:
    ledger.report("start", 0)
    ledger.read(0)
    ledger.report("heartbeat", 60)
    ledger.read(60)
    assert [entry.balance_wei for entry in ledger.entries] == [None, None, MINUTE_WEI, 2 * MINUTE_WEI]


@pytest.mark.parametrize(
    ("second", "state", "reason", "explanation"),
    [
        pytest.param(
            60, "awake", "power_time",
            {"delta_ms": 60_000, "rate_eth_per_minute": "0.001", "credit_unit": "eth"},
            id="that-earned",
        ),
        pytest.param(60, "asleep", "power_read", {"delta_ms": 0, "no_credit": "asleep"}, id="that-did-not"),
    ],
)  # fmt: skip
def test_entry_explains_the_interval(
    second: int, state: str, reason: str, explanation: dict[str, Any], ledger: LedgerDriver
) -> None:
    ledger.read(0)
    ledger.read(second, state)
    entry = ledger.entries[-1]
    assert (entry.event, entry.reason) == ("credit" if reason == "power_time" else "power", reason)
    assert (entry.orchestrator_id, entry.session, entry.power) == ("orch-a", None, ledger.power())
    assert entry.metadata == {
        "state": state,
        "read_at": "2027-01-15T08:01:00.000Z",
        "interval_start": "2027-01-15T08:00:00.000Z",
        "interval_end": "2027-01-15T08:01:00.000Z",
        **explanation,
    }
