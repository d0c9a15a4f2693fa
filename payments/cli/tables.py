"""Tables for people. Values are never cut."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_MIN_COLUMN, _UNLIMITED = 4, 1_000_000
"""Widths in characters: of the narrowest readable column, with its gap; and more than any line has."""


def print_records(records: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print a row for each of ``records``, under the names of ``columns``."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(Text(column.replace("_", " ")), overflow="fold")
    for record in records:
        table.add_row(*(Text(_cell(record.get(column))) for column in columns))
    _print(table)


def print_fields(record: Mapping[str, Any]) -> None:
    """Print a row for each field of ``record``."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for name, value in record.items():
        table.add_row(Text(name.replace("_", " ")), Text(_cell(value)))
    _print(table)


def _print(table: Table) -> None:
    """Print ``table`` in full: a truncated amount would be a wrong one. ``Text`` keeps rich from reading markup."""
    # On a terminal, long cells are folded; in a pipe or file, lines may have any length.
    console = Console(highlight=False, markup=False, emoji=False)
    min_width = _MIN_COLUMN * len(table.columns)
    console.width = max(console.width, min_width) if console.file.isatty() else _UNLIMITED
    console.print(table, crop=False)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_cell(each)}" for name, each in value.items()) or "-"
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)
