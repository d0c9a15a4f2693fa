"""The ledger as double entry, for hledger and for beancount: one transaction per entry that moves money.

What an orchestrator is owed is a liability. A credit is an expense that makes it larger; a payout takes it away and
leaves the wallet; a correction has an account of its own. So a liability's balance, with its sign turned, is what
``payments ledger balances`` shows, to the wei.
"""

from collections.abc import Callable, Iterable, Iterator

from payments.domain.entries import ADJUSTMENT, PAYOUT, POWER_TIME, SESSION_TIME
from payments.exports.accounts import account_part, commodity, negated, plain
from payments.exports.table import TEXTS, Record

OWED = "Liabilities:Orchestrators"
AGAINST = {
    SESSION_TIME: "Expenses:Session-time",
    POWER_TIME: "Expenses:Power-time",
    ADJUSTMENT: "Expenses:Adjustments",
    PAYOUT: "Assets:Payouts",
}
OTHER = "Expenses:Other"
"""The account for reasons that this version does not know."""

_TOLD_OF_ENTRY = ("seq", "timestamp", "reason", "balance")
_TOLD = (
    "session_id", "incarnation", "edge_id", "streamer_id", "interval_start", "interval_end", "delta_ms",
    "rate_eth_per_minute", "credit_unit", "reference", "tx_hash", "note",
)  # fmt: skip
# After a clock steps back, an entry may be dated before the one that opened its account.
_EVER = "1970-01-01"


def hledger_text(records: Iterable[Record]) -> Iterator[str]:
    """An hledger journal, with explanations in tags. It passes ``hledger check --strict``."""
    yield "; The ledger of Payments; times are UTC.\ndecimal-mark .\n\n"
    known: set[str] = set()
    for record in records:
        owed, against, unit = _names(record)
        # A unit with a digit must be quoted.
        shown = unit if unit.isalpha() else f'"{unit}"'
        yield from (f"commodity 1000.{'0' * 18} {shown}\n\n" for _ in _unseen(known, unit))
        yield from (f"account {account}\n\n" for account in _unseen(known, owed, against))
        tags = ", ".join([f"{name}:{value}" for name, value in _told(record, _hledger_value)])
        delta = record["delta"]
        yield (
            f"{record['timestamp'][:10]} {_narration(record)}\n    ; {tags}\n"
            f"    {against}  {delta} {shown}\n    {owed}  {negated(delta)} {shown}\n\n"
        )


def beancount_text(records: Iterable[Record]) -> Iterator[str]:
    """A beancount file, with explanations as metadata. It passes ``bean-check``."""
    yield 'option "title" "The ledger of Payments (times are UTC)"\n\n'
    known: set[str] = set()
    for record in records:
        owed, against, unit = _names(record)
        yield from (f'option "operating_currency" "{name}"\n\n' for name in _unseen(known, unit))
        yield from (f"{_EVER} open {account}\n\n" for account in _unseen(known, owed, against))
        metadata = "".join(
            [
                f"  {name}: {value}\n" if type(value) is int else f'  {name}: "{value}"\n'
                for name, value in _told(record, _beancount_value)
            ]
        )
        delta = _all_decimals(record["delta"])
        yield (
            f'{record["timestamp"][:10]} * "{_narration(record)}"\n{metadata}'
            f"  {against}  {delta} {unit}\n  {owed}  {negated(delta)} {unit}\n\n"
        )


def _unseen(known: set[str], *names: str) -> Iterator[str]:
    """The ``names`` that are new; adds them to ``known``."""
    for name in names:
        if name not in known:
            known.add(name)
            yield name


def _names(record: Record) -> tuple[str, str, str]:
    """The two accounts of ``record``, and its unit."""
    owed = f"{OWED}:{account_part(str(record['orchestrator_id']))}"
    return owed, AGAINST.get(record["reason"], OTHER), commodity(record["metadata"].get("credit_unit"))


def _narration(record: Record) -> str:
    reason = record["reason"]
    return reason.replace("_", " ") if reason in AGAINST else "other"


def _told(record: Record, quoted: Callable[[str], str]) -> Iterator[tuple[str, str | int]]:
    """The explanations of ``record`` by name; text from outside is written by ``quoted``."""
    for name in _TOLD_OF_ENTRY:
        yield name, record[name]
    yield "orchestrator_id", quoted(str(record["orchestrator_id"]))
    metadata = record["metadata"]
    for name in _TOLD:
        if (value := metadata.get(name)) not in (None, ""):
            yield name, quoted(value) if name in TEXTS else value


def _hledger_value(text: str) -> str:
    # A comma ends a tag.
    return plain(text, ",")


def _beancount_value(text: str) -> str:
    return plain(text).replace("\\", "\\\\").replace('"', '\\"')


def _all_decimals(amount: str) -> str:
    """``amount`` with 18 decimals: bean-query rounds to the number of digits that most amounts have."""
    integer, _, decimals = amount.partition(".")
    return f"{integer}.{decimals:0<18}"
