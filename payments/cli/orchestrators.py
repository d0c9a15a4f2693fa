"""``payments orchestrators``: who runs the game hosts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from payments.cli.calls import about, orchestrator_path
from payments.cli.options import Where, json_option, pass_where
from payments.cli.output import show, show_one
from payments.registry import read_fields

COLUMNS = ("orchestrator_id", "host_public_ip", "host_name", "address", "power_url", "enabled")
NEW = 201
"""The status of an answer about a record that was made, and not changed."""


@click.group("orchestrators")
def group() -> None:
    """Who runs the game hosts, and where they are paid."""


@group.command("list")
@json_option
@pass_where
def show_all(where: Where, as_json: bool) -> None:
    """All records."""
    with where.reach() as api:
        show(api.call("GET", "/api/orchestrators")["orchestrators"], COLUMNS, as_json)


@group.command("show")
@click.argument("orchestrator_id")
@json_option
@pass_where
def show_record(where: Where, orchestrator_id: str, as_json: bool) -> None:
    """One record."""
    with where.reach() as api:
        record = api.call("GET", orchestrator_path(orchestrator_id))
        show_one(about(record, "orchestrator_id", orchestrator_id), as_json)


@group.command("add")
@click.argument("orchestrator_id")
@click.option("--host-public-ip", help="Sessions on this address are this orchestrator's.")
@click.option("--address", help="Where payouts go: an Ethereum address.")
@click.option("--host-name", help="What the host is called.")
@click.option("--power-url", help="Where its power is asked, if not at the host's address.")
@json_option
@pass_where
def add(where: Where, /, orchestrator_id: str, as_json: bool, **fields: str | None) -> None:
    """Register an orchestrator, or change what is given of one that is registered."""
    record = {"orchestrator_id": orchestrator_id, **{name: value for name, value in fields.items() if value}}
    with where.reach() as api:
        registered = api.call("POST", "/api/orchestrators/register", body=record)
        show_one(about(registered, "orchestrator_id", orchestrator_id), as_json)
    what = "a new record" if registered.status == NEW else "it was registered already; what was given is in its record"
    click.echo(f"payments: {orchestrator_id}: {what}", err=True)


@group.command("disable")
@click.argument("orchestrator_id")
@click.option("--undo", is_flag=True, help="Enable it again.")
@json_option
@pass_where
def disable(where: Where, orchestrator_id: str, undo: bool, as_json: bool) -> None:
    """Let it take no part: its sessions earn nothing from their next event on, and its power is not asked."""
    with where.reach() as api:
        record = api.call("PATCH", orchestrator_path(orchestrator_id), body={"enabled": undo})
        show_one(about(record, "orchestrator_id", orchestrator_id), as_json)


@group.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@pass_where
def bring_in(where: Where, file: Path, as_json: bool) -> None:
    """Register every record in FILE: JSON, a list of them or an object as registry.json is.

    Of one that is registered already only the fields that stand in FILE are changed. The file is read whole before the
    first is registered; a second run changes nothing.
    """
    try:
        records = read_fields(file.read_bytes())
    except ValueError as error:
        raise click.ClickException(f"{file}: {error}; nothing is registered") from None
    with where.reach() as api:
        registered: list[Any] = [
            api.call("POST", "/api/orchestrators/register", body=_said(record)) for record in records.values()
        ]
    show(registered, COLUMNS, as_json)


def _said(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What a registration may say of ``fields``; when the record was registered is not among it."""
    return {name: value for name, value in fields.items() if name not in ("registered_at", "updated_at")}
