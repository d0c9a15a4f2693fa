"""Amounts and times of livepeer-ops are read exactly."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.importing.amounts import difference, moment_after, plain, read_amount, total, whole_wei
from tests.harness import campaign

AMOUNTS = st.builds(
    lambda digits, places: Decimal(f"{digits}E-{places}"),
    st.one_of(st.integers(-(10**28) + 1, 10**28 - 1), st.integers(-(10**60), 10**60)),
    st.integers(49, 60),
) | st.builds(lambda digits: Decimal(f"{digits}E-18"), st.integers(-(10**29), 10**29))
"""Amounts with up to 61 digits, more than the 28 of livepeer-ops' arithmetic."""


@pytest.mark.parametrize(
    ("value", "wei", "below"),
    [
        ("0.625", 625 * 10**15, "0"),
        ("2.056666666666666666666666667E-6", 2056666666666, "0.000000000000000000666666666666667"),
        ("7E-19", 0, "0.0000000000000000007"),
        ("-7E-19", -1, "0.0000000000000000003"),
        ("0E-40", 0, "0"),
        ("1E+3", 10**21, "0"),
        (3, 3 * 10**18, "0"),
        (Decimal("0.1"), 10**17, "0"),
    ],
)
def test_amount_is_its_wei_and_what_is_left_below_one(value: Any, wei: int, below: str) -> None:
    whole, rest = whole_wei(read_amount(value))
    assert (whole, plain(rest)) == (wei, below)


@pytest.mark.parametrize(
    "value",
    ["", " 1", "NaN", "Infinity", "1,5", "1_0", "٣", "0x1", None, True, 0.1, ["1"], "1E12", "1E999", "1E-61", "1" * 90],
    ids=repr,
)
def test_invalid_amount_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"ETH|decimals"):
        read_amount(value)


@given(AMOUNTS)
@campaign(300)
def test_nothing_is_lost_between_decimals_and_wei(amount: Decimal) -> None:
    """Wei and remainder add up to the exact amount; the remainder is at least 0 and less than one wei."""
    read = read_amount(str(amount))
    wei, below = whole_wei(read)
    assert Fraction(read) == Fraction(amount) == Fraction(wei, 10**18) + Fraction(below)
    assert 0 <= Fraction(below) < Fraction(1, 10**18)
    assert Fraction(plain(read)) == Fraction(amount)


@given(st.lists(AMOUNTS, max_size=30), AMOUNTS)
@campaign(100)
def test_sums_and_differences_are_exact(amounts: list[Decimal], other: Decimal) -> None:
    added_up = Decimal(0)
    for amount in amounts:
        added_up = total(added_up, amount)
    assert Fraction(difference(added_up, other)) == sum(map(Fraction, amounts)) - Fraction(other)


@pytest.mark.parametrize(
    ("text", "expected_ms"),
    [
        ("1970-01-01T00:00:01Z", 1000),
        ("1970-01-01T00:00:01.5+00:00", 1500),
        ("1970-01-01T00:00:01.500000Z", 1500),
        ("1970-01-01T00:00:01.500001Z", 1501),
        ("1970-01-01T00:00:01.999999Z", 2000),
        ("1970-01-01T01:00:01.123000+01:00", 1123),
    ],
)
def test_moment_is_the_first_whole_millisecond_not_before_it(text: str, expected_ms: int) -> None:
    assert moment_after(text) == expected_ms


@pytest.mark.parametrize("value", [None, 5, "", "2026-01-31", "2026-01-31T12:00:00"], ids=repr)
def test_invalid_time_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="time"):
        moment_after(value)
