"""``payments import``: taking over what another backend has kept."""

from pathlib import Path
from typing import Any

import click

from payments.cli.calls import check_owner
from payments.cli.options import Where, json_option, pass_where
from payments.cli.output import show
from payments.clock import now_ms
from payments.domain.state import State
from payments.errors import Misconfigured
from payments.importing import Here, Item, Refused, carry_out, make_plan, read_folder
from payments.importing.livepeer_ops import Found
from payments.registry import Registry, read_records
from payments.settings import Settings
from payments.store import open_store

COLUMNS = ("what", "id", "action", "detail")


@click.group("import")
def group() -> None:
    """Take over what another backend has kept."""


@group.command("livepeer-ops")
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show what would be done, and record nothing.")
@json_option
@pass_where
def import_livepeer_ops(where: Where, folder: Path, dry_run: bool, as_json: bool) -> None:
    """Take over the data folder DIR of a livepeer-ops backend, which must be stopped.

    Orchestrators that are missing here are registered; each balance becomes one adjustment; sessions that go on are
    billed here from where they are billed there; the last power readings become the first ones here. Anything malformed
    stops the import before it writes. A second run changes nothing. Import first, then point the edges here.
    """
    where.stay_here("import")
    settings = Settings.load()
    check_owner(settings)
    found = read_folder(folder, settings)
    if dry_run:
        _show_only(found, settings, as_json)
    else:
        _import(found, settings, as_json)


def _show_only(found: Found, settings: Settings, as_json: bool) -> None:
    plan = make_plan(found, _look(settings), settings, now_ms())
    _show(plan.items, as_json)
    if plan.problems:
        raise Refused(plan.problems)
    click.echo("payments: this was a dry run; nothing is recorded", err=True)


def _import(found: Found, settings: Settings, as_json: bool) -> None:
    if found.problems:
        raise Refused(found.problems)
    registry = Registry(settings.registry_path, now_ms)
    store = open_store(settings, registry.attribution)
    try:
        plan = make_plan(found, Here(registry.records(), store.view()), settings, now_ms())
        _show(plan.items, as_json)
        carry_out(plan, registry, store)
    finally:
        store.close()
    click.echo(
        f"payments: done: {len(plan.records)} orchestrators registered, {len(plan.commands)} entries recorded", err=True
    )


def _look(settings: Settings) -> Here:
    """What is here, without making anything that is not."""
    records: Any = {}
    path = settings.registry_path
    try:
        if path.exists():
            records = read_records(path.read_bytes(), now_ms())
    except (OSError, ValueError) as error:
        raise Misconfigured(f"{path}: {error}; mend the file, or restore it from a backup") from None
    if not settings.ledger_journal_path.exists():
        return Here(records, State())
    store = open_store(settings, dict)
    try:
        return Here(records, store.view())
    finally:
        store.close()


def _show(items: list[Item], as_json: bool) -> None:
    show((item.as_json() for item in items), COLUMNS, as_json)
