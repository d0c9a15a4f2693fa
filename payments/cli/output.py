"""What a command shows: tables for people, JSON for programs; and what its exit code says.

Tables are imported by the first one: that takes a sixth of a start, and ``--json`` has none.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

FAILED, MISUSED, FAULTY = 1, 2, 3
"""Exit codes besides 0: it could not be done (try again, or fix what the message names); the command line is wrong
(click's own); it was done, and what was examined is not sound."""


def show(records: Iterable[Mapping[str, Any]], columns: Sequence[str], as_json: bool) -> None:
    """``records`` as a table of ``columns``, or each whole as one JSON object a line."""
    if as_json:
        for record in records:
            click.echo(json.dumps(record))
        return
    from payments.cli.tables import print_records

    print_records(records, columns)


def show_one(record: Mapping[str, Any], as_json: bool) -> None:
    """One record, a line a field, or as a JSON object."""
    if as_json:
        click.echo(json.dumps(record))
        return
    from payments.cli.tables import print_fields

    print_fields(record)
