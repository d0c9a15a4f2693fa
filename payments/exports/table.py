"""The ledger as CSV, safe to open in a spreadsheet.

A spreadsheet runs a cell that begins with ``=``, ``+``, ``-`` or ``@`` as a formula, and session ids, notes and the
like come from outside: ``=HYPERLINK(...)`` would run on the bookkeeper's machine (OWASP, "CSV Injection"). So text that
begins with such a character, with one that a spreadsheet may skip before it, or with an apostrophe, gets an apostrophe
in front. To get the original bytes back, a program removes one leading apostrophe from the columns in ``TEXTS``.
Amounts are left as they are: ``-0.25`` must stay a number.

The separator is a comma. Some spreadsheets assume another one and split cells elsewhere, which defeats this: choose the
comma when importing the file.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any, TypeAlias

Record: TypeAlias = Mapping[str, Any]
"""An entry as ``payments.domain.records.entry_record`` shows it."""

TEXTS = frozenset({"orchestrator_id", "credit_unit", "session_id", "edge_id", "streamer_id", "reference", "note"})
"""Columns with text from outside."""

_OF_ENTRY = ("seq", "timestamp", "event", "reason", "orchestrator_id", "amount", "delta", "balance")
_OF_METADATA = (
    "credit_unit", "session_id", "incarnation", "edge_id", "streamer_id", "interval_start", "interval_end", "delta_ms",
    "rate_eth_per_minute", "reference", "tx_hash", "note",
)  # fmt: skip
COLUMNS = (*_OF_ENTRY, *_OF_METADATA)
_GUARDED = tuple(index for index, column in enumerate(COLUMNS) if column in TEXTS)

# Includes East Asian forms, white space (some spreadsheets trim it), and the apostrophe that escapes.
_RISKY = frozenset("=+-@＝＋－＠' \t\r\n\v\f\N{NO-BREAK SPACE}")  # noqa: RUF001


def csv_text(records: Iterable[Record]) -> Iterator[str]:
    """A header, then one row per entry that moves money; RFC 4180, with a newline after each row."""
    writer = csv.writer(_Line())
    entry_cells = itemgetter(*_OF_ENTRY)
    yield writer.writerow(COLUMNS)
    for record in records:
        cells = [*entry_cells(record), *map(record["metadata"].get, _OF_METADATA)]
        for index in _GUARDED:
            if (text := cells[index]) and text[0] in _RISKY:
                cells[index] = f"'{text}"
        yield writer.writerow(cells)


class _Line:
    """A file that returns what is written, so that ``writerow`` does."""

    def write(self, text: str) -> str:
        # Not by lineterminator="\n": then the writer would not quote a carriage return inside a cell.
        return f"{text[:-2]}\n"
