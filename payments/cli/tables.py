"""Tables for people; in them everything is shown whole, as it is."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_NARROWEST, _ENDLESS = 4, 1_000_000
"""Characters: a column that can still be read, its gap included; and more than any line has."""


def print_records(records: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """A line for each of ``records``, below the names of ``columns``."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(Text(column.replace("_", " ")), overflow="fold")
    for record in records:
        table.add_row(*(Text(_cell(record.get(column))) for column in columns))
    _print(table)


def print_fields(record: Mapping[str, Any]) -> None:
    """A line for each field of ``record``."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for name, value in record.items():
        table.add_row(Text(name.replace("_", " ")), Text(_cell(value)))
    _print(table)


def _print(table: Table) -> None:
    """Show all of ``table``: a cut amount would be a wrong one. ``Text`` is shown as it is, whatever is in it."""
    # On a terminal long cells are folded; into a pipe or a file a line is as long as it has to be.
    console = Console(highlight=False, markup=False, emoji=False)
    least = _NARROWEST * len(table.columns)
    console.width = max(console.width, least) if console.file.isatty() else _ENDLESS
    console.print(table, crop=False)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_cell(each)}" for name, each in value.items()) or "-"
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)
