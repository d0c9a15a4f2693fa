"""The ledger as double entry, for hledger and for beancount: one transaction per entry that moves money.

What an orchestrator is owed is a liability. A credit is an expense that increases it; a payout reduces it and leaves
the wallet; a correction has an account of its own. So the negated balance of a liability is what
``payments ledger balances`` shows, to the wei.
"""

from collections.abc import Callable, Iterable, Iterator

from payments.domain.entries import ADJUSTMENT, PAYOUT, POWER_TIME, SESSION_TIME
from payments.exports.accounts import account_part, commodity, negated, plain
from payments.exports.table import TEXTS, Record

OWED = "Liabilities:Orchestrators"
CONTRA_ACCOUNTS = {
    SESSION_TIME: "Expenses:Session-time",
    POWER_TIME: "Expenses:Power-time",
    ADJUSTMENT: "Expenses:Adjustments",
    PAYOUT: "Assets:Payouts",
}
OTHER = "Expenses:Other"
"""The account for reasons that this version does not know."""

_ENTRY_FIELDS = ("seq", "timestamp", "reason", "balance")
_METADATA_FIELDS = (
    "session_id", "incarnation", "edge_id", "streamer_id", "interval_start", "interval_end", "delta_ms",
    "rate_eth_per_minute", "credit_unit", "reference", "tx_hash", "note",
)  # fmt: skip
# After a clock steps back, an entry may be dated before the one that opened its account.
_OPENING_DATE = "1970-01-01"


def hledger_text(records: Iterable[Record]) -> Iterator[str]:
    """An hledger journal, with explanations in tags. It passes ``hledger check --strict``."""
    yield "; The ledger of Payments; times are UTC.\ndecimal-mark .\n\n"
    known: set[str] = set()
    for record in records:
        owed, contra, unit = _names(record)
        # A unit with a digit must be quoted.
        shown = unit if unit.isalpha() else f'"{unit}"'
        yield from (f"commodity 1000.{'0' * 18} {shown}\n\n" for _ in _first_seen(known, unit))
        yield from (f"account {account}\n\n" for account in _first_seen(known, owed, contra))
        tags = ", ".join([f"{name}:{value}" for name, value in _explanations(record, _hledger_value)])
        delta = record["delta"]
        yield (
            f"{record['timestamp'][:10]} {_narration(record)}\n    ; {tags}\n"
            f"    {contra}  {delta} {shown}\n    {owed}  {negated(delta)} {shown}\n\n"
        )


def beancount_text(records: Iterable[Record]) -> Iterator[str]:
    """A beancount file, with explanations as metadata. It passes ``bean-check``."""
    yield 'option "title" "The ledger of Payments (times are UTC)"\n\n'
    known: set[str] = set()
    for record in records:
        owed, contra, unit = _names(record)
        yield from (f'option "operating_currency" "{name}"\n\n' for name in _first_seen(known, unit))
        yield from (f"{_OPENING_DATE} open {account}\n\n" for account in _first_seen(known, owed, contra))
        metadata = "".join(
            [
                f"  {name}: {value}\n" if type(value) is int else f'  {name}: "{value}"\n'
                for name, value in _explanations(record, _beancount_value)
            ]
        )
        delta = _all_decimals(record["delta"])
        yield (
            f'{record["timestamp"][:10]} * "{_narration(record)}"\n{metadata}'
            f"  {contra}  {delta} {unit}\n  {owed}  {negated(delta)} {unit}\n\n"
        )


def _first_seen(known: set[str], *names: str) -> Iterator[str]:
    """The ``names`` that are new; adds them to ``known``."""
    for name in names:
        if name not in known:
            known.add(name)
            yield name


def _names(record: Record) -> tuple[str, str, str]:
    """The two accounts of ``record``, and its unit."""
    owed = f"{OWED}:{account_part(str(record['orchestrator_id']))}"
    return owed, CONTRA_ACCOUNTS.get(record["reason"], OTHER), commodity(record["metadata"].get("credit_unit"))


def _narration(record: Record) -> str:
    reason = record["reason"]
    return reason.replace("_", " ") if reason in CONTRA_ACCOUNTS else "other"


def _explanations(record: Record, quoted: Callable[[str], str]) -> Iterator[tuple[str, str | int]]:
    """The explanations of ``record``: name and value. ``quoted`` escapes text from outside."""
    for name in _ENTRY_FIELDS:
        yield name, record[name]
    yield "orchestrator_id", quoted(str(record["orchestrator_id"]))
    metadata = record["metadata"]
    for name in _METADATA_FIELDS:
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
