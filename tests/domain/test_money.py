"""Amounts from and to text, and the earnings of an interval to the wei (rule 4.2)."""

from decimal import Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.domain.money import WEI_PER_ETH, accrue, format_eth, parse_eth, parse_rate, parse_signed_eth, read_eth
from payments.domain.sessions import HEARTBEAT, START
from tests.domain.ledger_driver import LedgerDriver
from tests.harness import NOON_MS, TERMS, campaign, event

AMOUNTS_WEI = st.integers(min_value=0, max_value=10**45)
RATES_WEI = st.one_of(st.integers(1, 10**6), st.integers(1, 10**24))
"""Rates per minute, from fractions of a wei per interval to a million ETH, with up to 18 decimals."""
INTERVALS_MS = st.lists(st.one_of(st.integers(0, 100), st.integers(0, 86_400_000)), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("text", "wei"),
    [
        pytest.param("0", 0, id="nothing"),
        pytest.param("1", WEI_PER_ETH, id="one"),
        pytest.param("0.000000000000000001", 1, id="one-wei"),
        pytest.param("0.001", 10**15, id="a-usual-rate"),
        pytest.param("0.10", 10**17, id="trailing-zero"),
        pytest.param("007.5", 75 * 10**17, id="leading-zeros"),
        pytest.param("123456789.123456789123456789", 123456789123456789123456789, id="no-float-could-hold-it"),
    ],
)
def test_decimal_string_is_read_to_the_wei(text: str, wei: int) -> None:
    assert parse_eth(text) == wei


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(".5", id="no-whole-part"),
        pytest.param("1.", id="no-decimals-behind-the-point"),
        pytest.param(".", id="point-alone"),
        pytest.param("0.0000000000000000001", id="nineteen-decimals"),
        pytest.param("1e-3", id="exponent"),
        pytest.param("-1", id="negative"),
        pytest.param("+1", id="plus"),
        pytest.param("1,5", id="comma"),
        pytest.param("1_000", id="underscore"),
        pytest.param(" 1", id="space-before"),
        pytest.param("1\n", id="newline-behind"),
        pytest.param("0x10", id="hex"),
        pytest.param("NaN", id="nan"),
        pytest.param("Infinity", id="infinity"),
        pytest.param("\N{ARABIC-INDIC DIGIT ONE}", id="arabic-digit"),
        pytest.param("1 ETH", id="unit"),
    ],
)
def test_anything_else_is_refused_and_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="is not an amount of ETH") as refusal:
        parse_eth(text)
    assert f'"{text}"' in str(refusal.value)


@pytest.mark.parametrize("text", ["--1", "- 1", "-", "+-1", "-+1"])
def test_sign_is_one_minus_in_front(text: str) -> None:
    with pytest.raises(ValueError, match="is not an amount of ETH"):
        parse_signed_eth(text)


@pytest.mark.parametrize(
    ("wei", "text"),
    [
        pytest.param(0, "0", id="nothing"),
        pytest.param(250_000_000_000_000, "0.00025", id="no-trailing-zeros"),
        pytest.param(-15 * 10**17, "-1.5", id="negative"),
        pytest.param(-1, "-0.000000000000000001", id="minus-one-wei"),
        pytest.param(10**19, "10", id="zeros-before-the-point-stay"),
    ],
)
def test_amount_is_written_in_its_shortest_exact_form(wei: int, text: str) -> None:
    assert format_eth(wei) == text


@given(AMOUNTS_WEI)
@campaign(200)
def test_amount_reads_back_as_it_was_written(wei: int) -> None:
    assert parse_eth(format_eth(wei)) == read_eth(format_eth(wei)) == wei
    assert read_eth(format_eth(-wei)) == -wei
    assert parse_signed_eth(format_eth(-wei)) == -wei


@given(AMOUNTS_WEI)
@campaign(200)
def test_amount_is_written_as_decimal_arithmetic_writes_it(wei: int) -> None:
    expected = Decimal(wei).scaleb(-18, Context(prec=60))
    text = format_eth(wei)
    assert Decimal(text) == expected
    assert text == (f"{expected:f}".rstrip("0").rstrip(".") if wei % WEI_PER_ETH else str(wei // WEI_PER_ETH))


@pytest.mark.parametrize("text", ["", "-", ".", "one", "1.5.5", "1e3", "0.0000000000000000001"])
def test_text_that_no_amount_is_written_as_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"invalid literal|more than 18 decimals"):
        read_eth(text)


@given(whole=st.text("0123456789", min_size=1, max_size=12), decimals=st.text("0123456789", min_size=1, max_size=18))
@campaign(200)
def test_reading_and_writing_an_amount_loses_zeros_only(whole: str, decimals: str) -> None:
    assert format_eth(parse_eth(f"{whole}.{decimals}")) == f"{int(whole)}.{decimals}".rstrip("0").rstrip(".")


def test_highest_rate_earns_an_amount_that_reads_back_for_a_thousand_years() -> None:
    """Otherwise the journal would have an acknowledged credit that no start can read."""
    amount_wei, _ = accrue(parse_rate("999999999999.999999999999999999"), 1000 * 366 * 86_400_000, 0)
    assert parse_eth(format_eth(amount_wei)) == amount_wei


@pytest.mark.parametrize("text", ["1000000000000", "9" * 30])
def test_rate_above_that_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be below a trillion"):
        parse_rate(text)


@given(rate_wei=RATES_WEI, intervals_ms=INTERVALS_MS)
@campaign(300)
def test_parts_of_a_time_earn_what_the_whole_earns(rate_wei: int, intervals_ms: list[int]) -> None:
    credits_wei, remainder = [], 0
    for interval_ms in intervals_ms:
        credit_wei, remainder = accrue(rate_wei, interval_ms, remainder)
        credits_wei.append(credit_wei)
        assert 0 <= remainder < 60_000
    assert sum(credits_wei) == rate_wei * sum(intervals_ms) // 60_000
    assert all(credit_wei >= 0 for credit_wei in credits_wei)


@given(rate_wei=RATES_WEI, intervals_ms=INTERVALS_MS)
@campaign(150)
def test_credits_of_a_session_add_up_to_its_rate_times_its_time(rate_wei: int, intervals_ms: list[int]) -> None:
    ledger = LedgerDriver(TERMS._replace(rate_wei_per_minute=rate_wei))
    now_ms = NOON_MS
    ledger.tell(event(kind=START, at_ms=now_ms))
    for interval_ms in intervals_ms:
        now_ms += interval_ms
        ledger.tell(event(kind=HEARTBEAT, at_ms=now_ms))
    owed_wei = rate_wei * sum(intervals_ms) // 60_000
    assert sum(ledger.credits_wei()) == owed_wei
    assert ledger.session().billed_wei == owed_wei
    assert ledger.earned_wei() == ({"orch-a": owed_wei} if sum(intervals_ms) else {})
