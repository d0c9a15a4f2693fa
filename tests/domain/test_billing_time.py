"""Which time is accepted: evidence, gaps and the horizon (rules 4.1, 4.8 and 4.11)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.domain.sessions import END, EVENTS, HEARTBEAT, START
from tests.domain.ledger_driver import MINUTE_MS, MINUTE_WEI, LedgerDriver, TimeUse, at
from tests.harness import HOST_A, HOST_B, TERMS, campaign, event

HOUR = 3600
HOUR_MS = HOUR * 1000
AGE_HOUR = TERMS._replace(max_event_age_ms=HOUR_MS)
GAP_MINUTE = TERMS._replace(max_gap_ms=MINUTE_MS)


def test_occurred_at_bills_up_to_when_it_occurred() -> None:
    ledger = LedgerDriver()
    ledger.report(START, 5, occurred=0)
    ledger.report(HEARTBEAT, 100, occurred=60)
    assert ledger.account() == TimeUse(MINUTE_MS, MINUTE_MS, {})
    assert (ledger.session().last_billed_at_ms, ledger.session().last_seen_at_ms) == (at(60), at(100))


@pytest.mark.parametrize("kind", EVENTS)
def test_occurred_at_in_the_future_counts_as_the_time_of_receipt(kind: str) -> None:
    ledger = LedgerDriver()
    ledger.report(START, 0)
    ledger.report(kind, 60, occurred=10**6)
    assert ledger.account() == TimeUse(MINUTE_MS, MINUTE_MS, {})
    assert ledger.session().last_billed_at_ms == at(60)


def test_start_in_the_future_begins_at_its_receipt() -> None:
    ledger = LedgerDriver()
    ledger.report(START, 0, occurred=10**6)
    assert ledger.session().started_at_ms == at(0)


def test_occurred_at_before_the_last_billed_moment_bills_nothing() -> None:
    ledger = LedgerDriver()
    ledger.report(START, 0)
    ledger.report(HEARTBEAT, 60)
    assert ledger.report(HEARTBEAT, 90, occurred=30) == "recorded"
    assert ledger.account() == TimeUse(MINUTE_MS, MINUTE_MS, {})
    assert ledger.credits_wei() == [MINUTE_WEI]


def test_end_that_occurred_earlier_closes_at_the_last_billed_moment() -> None:
    ledger = LedgerDriver()
    ledger.report(START, 0)
    ledger.report(HEARTBEAT, 60)
    ledger.report(END, 90, occurred=30)
    assert ledger.session().ended_at_ms == at(60)


def test_events_kept_back_by_the_edge_bill_as_if_they_had_come_in_time() -> None:
    ledger = LedgerDriver()
    for occurred in (0, 60, 120):
        ledger.report(HEARTBEAT, HOUR, occurred)
    assert ledger.credits_wei() == [MINUTE_WEI, MINUTE_WEI]


@pytest.mark.parametrize(
    ("second", "account"),
    [
        pytest.param(60, TimeUse(MINUTE_MS, MINUTE_MS, {}), id="of-the-maximum-is-credited"),
        pytest.param(61, TimeUse(61_000, 0, {"gap": 61_000}), id="longer-is-not-credited-at-all"),
    ],
)
@pytest.mark.parametrize("kind", EVENTS)
def test_silence(kind: str, second: int, account: TimeUse) -> None:
    ledger = LedgerDriver(GAP_MINUTE)
    ledger.report(START, 0)
    ledger.report(kind, second)
    assert ledger.account() == account


def test_session_earns_again_after_a_gap() -> None:
    ledger = LedgerDriver(GAP_MINUTE)
    for second in (0, 60, 600, 660):
        ledger.report(HEARTBEAT, second)
    assert ledger.account() == TimeUse(11 * MINUTE_MS, 2 * MINUTE_MS, {"gap": 9 * MINUTE_MS})
    assert ledger.earned_wei() == {"orch-a": 2 * MINUTE_WEI}


def test_gap_is_measured_between_moments_not_between_receipts() -> None:
    ledger = LedgerDriver(GAP_MINUTE)
    ledger.report(START, 0)
    for occurred in (60, 120):
        ledger.report(HEARTBEAT, HOUR, occurred)
    assert ledger.account() == TimeUse(2 * MINUTE_MS, 2 * MINUTE_MS, {})


def test_no_maximum_gap_credits_any_silence() -> None:
    ledger = LedgerDriver()
    ledger.report(START, 0)
    ledger.report(END, 30 * 24 * HOUR)
    assert ledger.earned_wei() == {"orch-a": 30 * 24 * 60 * MINUTE_WEI}


@pytest.mark.parametrize(
    ("received", "account"),
    [
        pytest.param(60 + HOUR, TimeUse(MINUTE_MS, MINUTE_MS, {}), id="at-the-horizon-is-credited"),
        pytest.param(61 + HOUR, TimeUse(MINUTE_MS, 0, {"expired": MINUTE_MS}), id="behind-it-is-not"),
    ],
)
def test_event_that_occurred(received: int, account: TimeUse) -> None:
    ledger = LedgerDriver(AGE_HOUR)
    ledger.report(START, 0)
    ledger.report(HEARTBEAT, received, occurred=60)
    assert ledger.account() == account


def test_start_that_claims_long_ago_is_believed_back_to_the_horizon_only() -> None:
    """The interval is split at the horizon: the older part has expired, the rest is credited."""
    ledger = LedgerDriver(AGE_HOUR)
    ledger.report(START, 0, occurred=-10 * HOUR)
    ledger.report(HEARTBEAT, 60)
    assert ledger.account() == TimeUse(10 * HOUR_MS + MINUTE_MS, HOUR_MS + MINUTE_MS, {"expired": 9 * HOUR_MS})
    assert ledger.earned_wei() == {"orch-a": 61 * MINUTE_WEI}


def test_expired_heartbeat_does_not_expire_what_follows_it() -> None:
    ledger = LedgerDriver(AGE_HOUR)
    ledger.report(START, 0)
    ledger.report(HEARTBEAT, 2 * HOUR, occurred=60)
    ledger.report(HEARTBEAT, 2 * HOUR + 60)
    assert ledger.account() == TimeUse(2 * HOUR_MS + MINUTE_MS, HOUR_MS + MINUTE_MS, {"expired": HOUR_MS})


def test_event_without_occurred_at_never_expires() -> None:
    ledger = LedgerDriver(AGE_HOUR)
    ledger.report(START, 0)
    ledger.report(END, 5 * HOUR)
    assert ledger.account() == TimeUse(5 * HOUR_MS, 5 * HOUR_MS, {})


def test_expired_time_of_an_unmatched_session_counts_once() -> None:
    ledger = LedgerDriver(AGE_HOUR)
    ledger.report(START, 0, occurred=-2 * HOUR, upstream_addr="198.51.100.1")
    ledger.report(END, 60)
    unbilled_ms = {"expired": HOUR_MS, "unattributed": HOUR_MS + MINUTE_MS}
    assert ledger.account() == TimeUse(2 * HOUR_MS + MINUTE_MS, 0, unbilled_ms)


def test_gap_comes_before_any_other_cause() -> None:
    ledger = LedgerDriver(AGE_HOUR._replace(max_gap_ms=MINUTE_MS, rate_wei_per_minute=0))
    ledger.report(START, 0, occurred=-10 * HOUR, upstream_addr="198.51.100.1")
    ledger.report(END, 60)
    assert ledger.account() == TimeUse(10 * HOUR_MS + MINUTE_MS, 0, {"gap": 10 * HOUR_MS + MINUTE_MS})


def test_maximum_age_zero_believes_no_clock_but_our_own() -> None:
    ledger = LedgerDriver(TERMS._replace(max_event_age_ms=0))
    ledger.report(START, 10, occurred=0)
    ledger.report(HEARTBEAT, 60, occurred=50)
    ledger.report(HEARTBEAT, 120)
    assert ledger.account() == TimeUse(2 * MINUTE_MS, MINUTE_MS, {"expired": MINUTE_MS})


SECONDS = st.integers(-3 * HOUR, 3 * HOUR)
REPORTS = st.lists(
    st.tuples(st.sampled_from(EVENTS), SECONDS, st.none() | SECONDS, st.sampled_from([HOST_A, HOST_B, "198.51.100.1"])),
    min_size=2,
    max_size=12,
)


@given(
    reports=REPORTS,
    max_gap_ms=st.sampled_from([0, 10 * MINUTE_MS]),
    max_event_age_ms=st.sampled_from([0, HOUR_MS]),
    rate_wei=st.sampled_from([0, 1, MINUTE_WEI]),
)
@campaign(150)
def test_every_millisecond_is_accounted_for_whatever_is_reported(
    reports: list[tuple[str, int, int | None, str]], max_gap_ms: int, max_event_age_ms: int, rate_wei: int
) -> None:
    ledger = LedgerDriver(
        TERMS._replace(max_gap_ms=max_gap_ms, max_event_age_ms=max_event_age_ms, rate_wei_per_minute=rate_wei)
    )
    latest_ms = None
    for kind, second, occurred, host in reports:
        said = event(
            kind=kind,
            at_ms=at(second),
            occurred_at_ms=None if occurred is None else at(occurred),
            upstream_addr=host,
        )
        outcome = ledger.tell(said)
        if outcome.kind == "recorded":
            latest_ms = said.evidence_ms if latest_ms is None else max(latest_ms, said.evidence_ms)
        assert ledger.session().last_billed_at_ms == latest_ms
        assert ledger.account().billed_ms >= 0
        assert all(unbilled_ms > 0 for unbilled_ms in ledger.session().unbilled_ms.values())
