"""Output of commands: tables for people, JSON for programs, and exit codes.

The tables are imported late: that takes a sixth of a start, and ``--json`` does not need them.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

FAILED, MISUSED, FAULTY = 1, 2, 3
"""Exit codes besides 0: failed (try again, or fix what the message names); wrong command line (click's own); completed,
but problems were found."""


def show(records: Iterable[Mapping[str, Any]], columns: Sequence[str], as_json: bool) -> None:
    """Print ``records`` as a table of ``columns``, or as whole JSON objects, one a line."""
    if as_json:
        for record in records:
            click.echo(json.dumps(record))
        return
    from payments.cli.tables import print_records

    print_records(records, columns)


def show_one(record: Mapping[str, Any], as_json: bool) -> None:
    """Print one record, a field a line, or as a JSON object."""
    if as_json:
        click.echo(json.dumps(record))
        return
    from payments.cli.tables import print_fields

    print_fields(record)
