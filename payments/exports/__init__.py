"""Text for other programs: the ledger as CSV, JSON lines, hledger and beancount; payouts for a Safe.

Pure: entries in, text out. Entries come as ``payments.domain.records.entry_record`` makes them, so amounts are the
exact decimal strings of the journal and nothing computes with them.

Always true (``tests/exports``): the same entries make the same text; no two orchestrators share an account; text that a
format cannot hold is escaped so that it can be recovered.

Not here: where entries come from (``payments.store``), where the text goes (``payments.cli``).

Modules:

``table``     CSV, safe to open in a spreadsheet
``postings``  hledger and beancount, double entry
``accounts``  names of orchestrators, units and metadata in plain-text accounting
``airdrop``   the CSV that Safe's CSV Airdrop app reads, and the slip beside it
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import orjson

from payments.exports.postings import beancount_text, hledger_text
from payments.exports.table import Record, csv_text


class Format(NamedTuple):
    """A way to write entries.

    Attributes:
        write: the text of entries, piece by piece.
        money_only: whether it has a place for money only, not for the other facts of the journal.
    """

    write: Callable[[Iterable[Record]], Iterator[str]]
    money_only: bool


def jsonl_text(records: Iterable[Record]) -> Iterator[str]:
    """One JSON object a line, each as ``GET /api/ledger/events`` shows it."""
    for record in records:
        yield orjson.dumps(record).decode() + "\n"


FORMATS: Mapping[str, Format] = {
    "csv": Format(csv_text, money_only=True),
    "jsonl": Format(jsonl_text, money_only=False),
    "hledger": Format(hledger_text, money_only=True),
    "beancount": Format(beancount_text, money_only=True),
}
