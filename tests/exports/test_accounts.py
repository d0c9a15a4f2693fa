"""Account names that plain-text accounting accepts, one for each orchestrator and unit."""

import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from payments.exports.accounts import account_part, commodity, negated, plain
from tests.exports.records import ANY_TEXT, TEXTS
from tests.harness import campaign

CLOSE = st.text("aAxXzZ05f-_", max_size=8)
"""Letters used in escapes, so that names come close to colliding."""


def read_part(part: str) -> str:
    """The orchestrator of a part, decoded by the rules in ``account_part``'s docstring."""
    spelled = part.removeprefix("X---") if part.startswith("X---") else part[0].lower() + part[1:]
    return re.sub("--([0-9a-f]+)-|(.)", lambda match: match[2] or chr(int(match[1], 16)), spelled)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("orch-eu", "Orch-eu"),
        ("Orch-eu", "X---Orch-eu"),
        ("orch_eu", "Orch--5f-eu"),
        ("orch--eu", "Orch--2d--eu"),
        ("0xabc", "X---0xabc"),
        ("eu:1", "Eu--3a-1"),
        ("", "X---"),
    ],
)
def test_account_is_named_after_its_orchestrator(name: str, part: str) -> None:
    assert account_part(name) == part


@campaign(150)
@given(st.one_of(TEXTS, CLOSE))
def test_account_part_is_legal_and_says_whose_it_is(name: str) -> None:
    part = account_part(name)
    assert re.fullmatch("[A-Z][A-Za-z0-9-]*", part)
    assert read_part(part) == name


@campaign(100)
@given(st.sets(st.one_of(TEXTS, CLOSE), min_size=2, max_size=30))
def test_no_two_orchestrators_share_an_account(names: set[str]) -> None:
    assert len({account_part(name) for name in names}) == len(names)


@pytest.mark.parametrize(
    ("unit", "shown"),
    [
        ("eth", "ETH"), ("usdc", "USDC"), ("Eth2", "ETH2"), ("", "ETH"), ("e", "ETH"), ("€", "ETH"), ("straße", "ETH"),
        ("my unit", "ETH"), ("2eth", "ETH"), ("true", "ETH"), ("null", "ETH"), (None, "ETH"), (7, "ETH"),
    ],
    ids=str,
)  # fmt: skip
def test_unit_is_the_credit_unit_where_both_programs_take_it(unit: object, shown: str) -> None:
    assert commodity(unit) == shown


@campaign(100)
@given(ANY_TEXT, st.sampled_from(",\n"))
@example('"', ",")
@example("a, b", ",")
@example(" ", "\n")
@example("\x7f", "\n")
def test_text_stays_on_its_line_and_can_be_had_back(text: str, forbidden: str) -> None:
    written = plain(text, forbidden)
    assert written.isprintable()
    assert forbidden not in written
    assert (json.loads(written) if written.startswith('"') else written) == text


@pytest.mark.parametrize("text", ["orch-a", "s 1", "ü", "=1"], ids=str)
def test_usual_text_is_written_as_it_is(text: str) -> None:
    assert plain(text, ",") == text


@pytest.mark.parametrize(("amount", "other"), [("0.5", "-0.5"), ("-12", "12")])
def test_two_postings_cancel_out(amount: str, other: str) -> None:
    assert negated(amount) == other
