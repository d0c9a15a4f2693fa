"""The ledger as CSV, safe to open in a spreadsheet.

A spreadsheet takes a cell that begins with ``=``, ``+``, ``-`` or ``@`` for a formula, and session ids, notes and the
like come from outside: one that says ``=HYPERLINK(...)`` would run on the bookkeeper's machine (OWASP, "CSV
Injection"). So a text that begins with such a character, or with one that a spreadsheet may skip before it, gets an
apostrophe in front; and so does one that begins with an apostrophe. Whoever reads the file by program takes one leading
apostrophe away from the columns in ``TEXTS``, and has every byte back. Amounts are left as they are: ``-0.25`` is a
number, and has to be one.

The separator is a comma. A file that is opened with another one, as some spreadsheets do unasked, is cut elsewhere, and
this does not hold: import it as what it is.
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
        # Told to end rows so, the writer would not quote a carriage return inside one.
        return f"{text[:-2]}\n"
