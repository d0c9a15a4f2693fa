"""What a command shows: tables for people, JSON for programs; and what its exit code says."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table

FAILED, MISUSED, FAULTY = 1, 2, 3
"""Exit codes besides 0: it could not be done (try again, or mend what the message names); the command line is wrong
(click's own); it was done, and what was examined is not sound."""


def show(records: Iterable[Mapping[str, Any]], columns: Sequence[str], as_json: bool) -> None:
    """``records`` as a table of ``columns``, or each whole as one JSON object a line."""
    if as_json:
        for record in records:
            click.echo(json.dumps(record))
        return
    table = Table(*(column.replace("_", " ") for column in columns), box=None, pad_edge=False, header_style="bold")
    for record in records:
        table.add_row(*(_cell(record.get(column)) for column in columns))
    _console().print(table)


def show_one(record: Mapping[str, Any], as_json: bool) -> None:
    """One record, a line a field, or as a JSON object."""
    if as_json:
        click.echo(json.dumps(record))
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in record.items():
        table.add_row(name.replace("_", " "), _cell(value))
    _console().print(table)


def _console() -> Console:
    # Into a pipe or a file, whatever the line's length: a cut amount would be a wrong one.
    return Console(soft_wrap=True, width=None if sys.stdout.isatty() else 10_000, highlight=False, markup=False)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_cell(each)}" for name, each in value.items()) or "-"
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)
