"""Any entries of a journal, with whatever an edge, an orchestrator or an operator may have sent."""

from typing import Any

from hypothesis import strategies as st

from payments.domain.entries import ADJUSTMENT, CREDIT, DEBIT, PAYOUT, POWER_TIME, SESSION_TIME
from payments.domain.money import format_eth
from tests.harness import JSON

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
"""More than any input check accepts, including control characters."""

AWKWARD_TEXTS = (
    "orch-a", "Orch-a", "orch_a", "orch--a", "orch-5f-a", "X---orch-a", "x---a", "-", "--", "0x1", "", " ", "a  b",
    "a,b", "a:b", "(a)", "[a]", '"a"', "a;b", "a|b", "=1+1", "@SUM(A1)", "-1", "+1", "'quoted", "\t=1", "\uff1d1",
    "\u00e9t\u00e9", "\u65e5\u672c", "\U0001f600", "date:2020-01-01",
    "back\\slash", "end\\", "a\nb", "\x00", "#tag ^link", "; comment",
)  # fmt: skip
TEXTS = st.one_of(st.sampled_from(AWKWARD_TEXTS), ANY_TEXT)
DELTAS_WEI = st.one_of(st.integers(-9, 9), st.integers(-(10**26), 10**26)).filter(bool)
REASONS = (SESSION_TIME, POWER_TIME, ADJUSTMENT, PAYOUT, "of_a_later_version")


@st.composite
def deltas(draw: st.DrawFn) -> list[tuple[str, int, str, dict[str, Any]]]:
    """Orchestrator, wei, reason and metadata of some entries."""
    told = st.fixed_dictionaries(
        {"credit_unit": st.just("eth")},
        optional=dict.fromkeys(("session_id", "edge_id", "streamer_id", "reference", "note"), TEXTS),
    )
    return draw(st.lists(st.tuples(TEXTS, DELTAS_WEI, st.sampled_from(REASONS), told), min_size=1, max_size=40))


def money_records(moved: list[tuple[str, int, str, dict[str, Any]]]) -> list[JSON]:
    """Entries of ``moved`` in the form of ``entry_record``; some dates go backwards, as clocks may."""
    balances: dict[str, int] = {}
    shown = []
    for seq, (earner, delta_wei, reason, metadata) in enumerate(moved, start=1):
        balances[earner] = balances.get(earner, 0) + delta_wei
        delta = format_eth(delta_wei)
        shown.append(
            {
                "seq": seq,
                "timestamp": f"2026-01-{28 - seq % 20:02}T12:00:00.000Z",
                "event": CREDIT if delta_wei > 0 else DEBIT,
                "reason": reason,
                "orchestrator_id": earner,
                "amount": delta.removeprefix("-"),
                "delta": delta,
                "balance": format_eth(balances[earner]),
                "metadata": metadata,
            }
        )
    return shown


def owed_wei(records: list[JSON]) -> dict[str, int]:
    """Sum of the entries by orchestrator, in wei."""
    sums: dict[str, int] = {}
    for record in records:
        whole, _, decimals = record["amount"].partition(".")
        wei = int(whole + decimals.ljust(18, "0")) * (1 if record["event"] == CREDIT else -1)
        sums[record["orchestrator_id"]] = sums.get(record["orchestrator_id"], 0) + wei
    return sums
