"""``payments orchestrators``: who runs the game hosts."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from payments.cli.calls import ApiResponse, Calls, check_answer, orchestrator_path
from payments.cli.options import Target, json_option, pass_target
from payments.cli.output import show, show_one
from payments.errors import PaymentsError
from payments.registry import host_conflict, read_fields

COLUMNS = ("orchestrator_id", "host_public_ip", "host_name", "address", "power_url", "enabled")
NEW = 201
"""HTTP status when a record was created rather than changed."""


@click.group("orchestrators")
def group() -> None:
    """Manage the orchestrators, who run the game hosts."""


@group.command("list")
@json_option
@pass_target
def show_all(target: Target, as_json: bool) -> None:
    """List all records."""
    with target.connect() as api:
        show(api.call("GET", "/api/orchestrators")["orchestrators"], COLUMNS, as_json)


@group.command("show")
@click.argument("orchestrator_id")
@json_option
@pass_target
def show_record(target: Target, orchestrator_id: str, as_json: bool) -> None:
    """Show one record."""
    with target.connect() as api:
        record = api.call("GET", orchestrator_path(orchestrator_id))
        show_one(check_answer(record, "orchestrator_id", orchestrator_id), as_json)


@group.command("add")
@click.argument("orchestrator_id")
@click.option("--host-public-ip", help="Address of the game host; its sessions earn for this orchestrator.")
@click.option("--address", help="Ethereum address that payouts go to.")
@click.option("--host-name", help="Name of the host, for people.")
@click.option("--power-url", help="URL to ask for power, if not at the host's address.")
@json_option
@pass_target
def add(target: Target, /, orchestrator_id: str, as_json: bool, **fields: str | None) -> None:
    """Register an orchestrator, or change the given fields of a registered one; "" clears a field."""
    given = {name: value or None for name, value in fields.items() if value is not None}
    record = {"orchestrator_id": orchestrator_id, **given}
    try:
        # Checked before the call, so a bad value does not create a journal.
        read_fields(json.dumps([record]).encode())
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    with target.connect() as api:
        registered = api.call("POST", "/api/orchestrators/register", body=record)
        show_one(check_answer(registered, "orchestrator_id", orchestrator_id), as_json)
    what = "registered" if registered.status == NEW else "was registered already; the given fields are updated"
    click.echo(f"payments: {orchestrator_id} {what}", err=True)


@group.command("disable")
@click.argument("orchestrator_id")
@click.option("--undo", is_flag=True, help="Enable it again.")
@json_option
@pass_target
def disable(target: Target, orchestrator_id: str, undo: bool, as_json: bool) -> None:
    """Disable an orchestrator: from their next event on, its sessions earn nothing, and its power is not asked."""
    with target.connect() as api:
        record = api.call("PATCH", orchestrator_path(orchestrator_id), body={"enabled": undo})
        show_one(check_answer(record, "orchestrator_id", orchestrator_id), as_json)


@group.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@pass_target
def import_file(target: Target, file: Path, as_json: bool) -> None:
    """Register all records in FILE: a JSON list of records, or an object like registry.json.

    A registered orchestrator keeps the fields that FILE does not give. If any record is malformed, or names a host of
    another orchestrator, nothing is registered. A second run changes nothing.
    """
    try:
        records = read_fields(file.read_bytes())
    except ValueError as error:
        raise click.ClickException(f"PAY-O09 {file}: {error}; nothing is registered") from None
    # The first call is a GET, but the command may create a journal.
    with target.connect(may_create=True) as api:
        if conflicts := list(_conflicts(records, api.call("GET", "/api/orchestrators")["orchestrators"])):
            raise click.ClickException("\n".join([f"PAY-O09 {file}: nothing is registered:", *conflicts]))
        registered = _register(api, file, records)
    show(registered, COLUMNS, as_json)


def _conflicts(records: Mapping[str, Mapping[str, Any]], registered: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Why the API would refuse some of ``records``, posted in order onto those ``registered``: a line each."""
    hosts: dict[str, str | None] = {each["orchestrator_id"]: each["host_public_ip"] for each in registered}
    owners = {host: name for name, host in hosts.items()}
    for name, fields in records.items():
        host = fields.get("host_public_ip", hosts.get(name))
        owner = name if host is None else owners.get(host, name)
        if owner == name:
            owners.pop(hosts.get(name), None)
            owners[host] = name
        elif records.get(owner, {}).get("host_public_ip", host) == host:
            yield f"record {name}: {host_conflict(host, owner)}"
        else:
            yield (
                f"record {name}: {host_conflict(host, owner)}, and records are registered in order: put the record of "
                f"{owner} before it; or, if the two exchange hosts, first run payments orchestrators add {owner} "
                f'--host-public-ip ""'
            )


def _register(api: Calls, file: Path, records: Mapping[str, Mapping[str, Any]]) -> list[ApiResponse]:
    """Post ``records``, and return the answers. If one fails, the error says which were registered."""
    answers: list[ApiResponse] = []
    for name, fields in records.items():
        try:
            answer = api.call("POST", "/api/orchestrators/register", body=_registrable(fields))
            answers.append(check_answer(answer, "orchestrator_id", name))
        except PaymentsError as error:
            done, rest = list(records)[: len(answers)], list(records)[len(answers) + 1 :]
            raise click.ClickException(
                f"PAY-O10 {file}: record {name}: {error}\nRegistered before it: {', '.join(done) or 'none'}; not "
                f"registered after it: {', '.join(rest) or 'none'}. Fix this, and run the same command again"
            ) from error
    return answers


def _registrable(fields: Mapping[str, Any]) -> dict[str, Any]:
    """``fields`` without the times that only Payments sets."""
    return {name: value for name, value in fields.items() if name not in ("registered_at", "updated_at")}
