"""Under ``PAYMENTS_SESSION_REQUIRE_AWAKE``, session time earns only while an awake reading covers it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.domain.readings import AWAKE
from payments.domain.sessions import END, EVENTS, HEARTBEAT, START
from tests.domain.ledger_driver import MINUTE_MS, MINUTE_WEI, LedgerDriver, TimeUse
from tests.harness import HOST_A, HOST_B, TERMS, campaign

GAP = 180
GATED = TERMS._replace(require_awake=True, power_max_gap_ms=GAP * 1000)
HOUR = 3600
HOUR_MS = HOUR * 1000


@pytest.fixture
def ledger() -> LedgerDriver:
    """An empty ledger under ``GATED``: a reading covers three minutes, and power itself earns nothing."""
    return LedgerDriver(GATED)


@pytest.mark.parametrize("kind", EVENTS)
def test_session_of_a_host_that_was_never_read_earns_nothing(kind: str, ledger: LedgerDriver) -> None:
    ledger.report(START, 0)
    ledger.report(kind, 60)
    assert ledger.account() == TimeUse(MINUTE_MS, 0, {"asleep": MINUTE_MS})
    assert ledger.earned_wei() == {}


def test_without_the_setting_readings_do_not_matter() -> None:
    ledger = LedgerDriver(GATED._replace(require_awake=False))
    ledger.report(START, 0)
    ledger.read(30, "asleep")
    ledger.report(END, 60)
    assert ledger.account() == TimeUse(MINUTE_MS, MINUTE_MS, {})


@pytest.mark.parametrize("kind", EVENTS)
def test_session_earns_while_readings_say_awake(kind: str, ledger: LedgerDriver) -> None:
    ledger.read(0)
    ledger.report(START, 10)
    ledger.read(60)
    ledger.report(kind, 70)
    assert ledger.account() == TimeUse(MINUTE_MS, MINUTE_MS, {})
    assert ledger.earned_wei() == {"orch-a": MINUTE_WEI}


def test_only_what_a_reading_covers_earns(ledger: LedgerDriver) -> None:
    """The first reading comes 20 s after the start."""
    ledger.report(START, 0)
    ledger.read(20)
    ledger.report(HEARTBEAT, 80)
    assert ledger.account() == TimeUse(80_000, MINUTE_MS, {"asleep": 20_000})
    assert ledger.entries[-1].metadata["unbilled_ms"] == {"asleep": 20_000}


def test_last_reading_is_good_for_the_maximum_gap_and_no_longer(ledger: LedgerDriver) -> None:
    """The worker dies after its first reading; edges keep reporting."""
    ledger.read(0)
    ledger.report(START, 0)
    for second in range(15, 601, 15):
        ledger.report(HEARTBEAT, second)
    assert ledger.account() == TimeUse(600_000, GAP * 1000, {"asleep": (600 - GAP) * 1000})


@pytest.mark.parametrize(
    ("silent_until", "account"),
    [
        pytest.param(GAP, TimeUse(180_000, 180_000, {}), id="of-the-maximum-gap-earns-all"),
        pytest.param(GAP + 1, TimeUse(181_000, 180_000, {"asleep": 1_000}), id="longer-earns-what-is-covered"),
        pytest.param(HOUR, TimeUse(HOUR_MS, 180_000, {"asleep": 3_420_000}), id="much-longer-too"),
    ],
)
def test_interval_since_the_last_reading(silent_until: int, account: TimeUse, ledger: LedgerDriver) -> None:
    ledger.read(0)
    ledger.report(START, 0)
    ledger.report(HEARTBEAT, silent_until)
    assert ledger.account() == account


@pytest.mark.parametrize("state", ["asleep", "unknown"])
def test_other_reading_ends_the_coverage(state: str, ledger: LedgerDriver) -> None:
    ledger.read(0)
    ledger.report(START, 0)
    ledger.read(40, state)
    ledger.report(HEARTBEAT, 60)
    ledger.report(HEARTBEAT, 120)
    assert ledger.account() == TimeUse(2 * MINUTE_MS, 40_000, {"asleep": 80_000})


def test_session_earns_again_from_the_reading_on_that_found_its_host_awake(ledger: LedgerDriver) -> None:
    ledger.report(START, 0)
    for second, state in ((0, "awake"), (60, "asleep"), (120, "awake")):
        ledger.read(second, state)
        ledger.report(HEARTBEAT, second)
    ledger.report(HEARTBEAT, 150)
    assert ledger.account() == TimeUse(150_000, 90_000, {"asleep": MINUTE_MS})


def test_long_run_of_awake_readings_covers_a_long_interval(ledger: LedgerDriver) -> None:
    ledger.report(START, 30)
    for second in range(0, HOUR + 1, 60):
        ledger.read(second)
    ledger.report(END, HOUR)
    assert ledger.account() == TimeUse(HOUR_MS - 30_000, HOUR_MS - 30_000, {})


def test_of_a_long_interval_the_last_run_of_awake_readings_earns(ledger: LedgerDriver) -> None:
    """The state keeps one run of readings, so an interval with several runs earns from the last one on."""
    ledger.report(START, 0)
    for second, state in ((0, "awake"), (60, "awake"), (120, "unknown"), (180, "awake"), (240, "awake")):
        ledger.read(second, state)
    ledger.report(END, 300)
    assert ledger.account() == TimeUse(300_000, 120_000, {"asleep": 180_000})


def test_reading_of_a_second_worker_costs_a_session_nothing(ledger: LedgerDriver) -> None:
    ledger.report(START, 0)
    for second in (0, 60, 59, 120, 119):
        ledger.read(second)
    ledger.report(END, 120)
    assert ledger.account() == TimeUse(2 * MINUTE_MS, 2 * MINUTE_MS, {})


def test_reading_counts_for_the_sessions_of_its_own_orchestrator(ledger: LedgerDriver) -> None:
    ledger.read(0, orchestrator_id="orch-b")
    for session_id, host in (("s-1", HOST_A), ("s-2", HOST_B)):
        ledger.report(START, 0, session_id=session_id, upstream_addr=host)
        ledger.report(END, 60, session_id=session_id)
    assert ledger.account("s-1") == TimeUse(MINUTE_MS, 0, {"asleep": MINUTE_MS})
    assert ledger.account("s-2") == TimeUse(MINUTE_MS, MINUTE_MS, {})


def test_interval_uses_the_readings_of_its_own_orchestrator(ledger: LedgerDriver) -> None:
    """Time before a change of address is billed to the old one (rule 4.4)."""
    ledger.read(0, orchestrator_id="orch-b")
    ledger.report(START, 0, upstream_addr=HOST_A)
    ledger.report(HEARTBEAT, 60, upstream_addr=HOST_B)
    ledger.report(END, 120, upstream_addr=HOST_A)
    assert ledger.account() == TimeUse(2 * MINUTE_MS, MINUTE_MS, {"asleep": MINUTE_MS})
    assert ledger.earned_wei() == {"orch-b": MINUTE_WEI}


def test_events_kept_back_go_by_what_the_readings_said_of_their_time(ledger: LedgerDriver) -> None:
    for second in (0, 60, 120):
        ledger.read(second)
    ledger.read(180, "asleep")
    ledger.report(START, 600, occurred=60)
    ledger.report(END, 600, occurred=240)
    assert ledger.account() == TimeUse(180_000, 120_000, {"asleep": MINUTE_MS})


def test_clock_that_steps_back_covers_no_more_than_the_maximum_gap_behind_the_reading(ledger: LedgerDriver) -> None:
    for second in (600, 0):
        ledger.read(second)
    ledger.report(START, 0)
    ledger.report(END, 900)
    assert ledger.account() == TimeUse(900_000, GAP * 1000, {"asleep": 720_000})


@pytest.mark.parametrize(
    ("change", "host", "unbilled_ms"),
    [
        pytest.param({"max_gap_ms": 1000}, HOST_A, {"gap": 120_000}, id="gap"),
        pytest.param({}, "198.51.100.1", {"unattributed": 120_000}, id="unattributed"),
        pytest.param({"rate_wei_per_minute": 0}, HOST_A, {"unpriced": 120_000}, id="unpriced"),
    ],
)
def test_another_cause_comes_before_asleep(
    change: dict[str, int], host: str, unbilled_ms: dict[str, int], ledger: LedgerDriver
) -> None:
    ledger.terms = GATED._replace(**change)  # type: ignore[arg-type]
    ledger.report(START, 0, upstream_addr=host)
    ledger.report(END, 120)
    assert ledger.account() == TimeUse(120_000, 0, unbilled_ms)


def test_expired_time_is_not_asleep_too(ledger: LedgerDriver) -> None:
    """Two hours are claimed: one has expired, three minutes are covered, and the rest is asleep."""
    ledger.terms = GATED._replace(max_event_age_ms=HOUR_MS)
    ledger.read(-600)
    ledger.report(START, 0, occurred=-2 * HOUR)
    ledger.report(END, 0)
    assert ledger.account() == TimeUse(2 * HOUR_MS, 180_000, {"expired": HOUR_MS, "asleep": HOUR_MS - 180_000})


def test_coverage_of_expired_time_earns_nothing(ledger: LedgerDriver) -> None:
    ledger.terms = GATED._replace(max_event_age_ms=HOUR_MS)
    ledger.read(-HOUR - 120)
    ledger.report(START, 0, occurred=-2 * HOUR)
    ledger.report(END, 0)
    assert ledger.account() == TimeUse(2 * HOUR_MS, MINUTE_MS, {"expired": HOUR_MS, "asleep": HOUR_MS - MINUTE_MS})


def test_setting_that_is_turned_on_judges_the_interval_that_ends_then(ledger: LedgerDriver) -> None:
    ledger.terms = GATED._replace(require_awake=False)
    ledger.report(START, 0)
    ledger.report(HEARTBEAT, 60)
    ledger.terms = GATED
    ledger.report(HEARTBEAT, 120)
    assert ledger.account() == TimeUse(2 * MINUTE_MS, MINUTE_MS, {"asleep": MINUTE_MS})


def test_resumed_session_earns_the_covered_part_of_its_silence(ledger: LedgerDriver) -> None:
    ledger.report(START, 0)
    ledger.reap()
    ledger.read(6000)
    ledger.report(HEARTBEAT, 6060)
    assert ledger.account() == TimeUse(6_060_000, MINUTE_MS, {"asleep": 6_000_000})


STORIES = st.lists(
    st.tuples(st.integers(0, 2 * GAP), st.sampled_from(["awake", "awake", "awake", "asleep", "unknown", "event"])),
    min_size=1,
    max_size=25,
)


def covered(readings: list[tuple[int, str]], now: int) -> set[int]:
    """Seconds before ``now`` that ``readings`` cover: each until the next one, or for the maximum gap."""
    ends = [second for second, _ in readings[1:]] + [now] * bool(readings)
    runs = [
        range(begin, min(begin + GAP, end, now))
        for (begin, state), end in zip(readings, ends, strict=True)
        if state == AWAKE
    ]
    return {second for run in runs for second in run}


@given(STORIES)
@campaign(200)
def test_a_session_earns_what_is_covered_and_nothing_else(story: list[tuple[int, str]]) -> None:
    ledger, readings, now, last = LedgerDriver(GATED), list[tuple[int, str]](), 0, 0
    ledger.report(START, 0)
    for step, told in story:
        now += step
        if told != "event":
            ledger.read(now, told)
            readings.append((now, told))
            continue
        before_ms = ledger.account().billed_ms
        ledger.report(HEARTBEAT, now)
        earned = (ledger.account().billed_ms - before_ms) // 1000
        due = covered(readings, now) & set(range(last, now))
        holes = [second for second in due if second + 1 not in due and second + 1 < now]
        assert earned <= len(due)
        # The state keeps the last run only, so a hole between two runs may reduce it.
        assert earned == len(due) or holes
        last = now
    assert set(ledger.account().unbilled_ms) <= {"asleep"}
