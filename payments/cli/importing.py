"""``payments import``: takes over the data of another backend."""

from collections.abc import Mapping
from pathlib import Path

import click

from payments.cli.options import Target, json_option, pass_target
from payments.cli.output import show
from payments.clock import now_ms
from payments.domain.decisions import Terms
from payments.errors import Misconfigured
from payments.importing import ExistingState, ImportRefused, Item, carry_out, make_plan, read_folder
from payments.importing.livepeer_ops import LivepeerOps
from payments.registry import Record, Registry, read_records
from payments.settings import Settings
from payments.store import Store, engine_of, open_store
from payments.store.memory import MemoryStore

COLUMNS = ("what", "id", "action", "detail")


@click.group("import")
def group() -> None:
    """Import the data of another backend."""


@group.command("livepeer-ops")
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show what would be done; record nothing.")
@json_option
@pass_target
def import_livepeer_ops(target: Target, folder: Path, dry_run: bool, as_json: bool) -> None:
    """Import the data folder DIR of a livepeer-ops backend, which must be stopped.

    Missing orchestrators are registered; each balance becomes one adjustment; active sessions are billed on from where
    they were billed; the last power readings become the first ones of Payments. Malformed input stops the import before
    it writes. A second run changes nothing. Import first, then set the edges to use Payments.
    """
    target.require_local("import")
    settings = Settings.load()
    engine_of(settings).check_user()
    found = read_folder(folder, settings)
    if dry_run:
        _show_only(found, settings, as_json)
    else:
        _import(found, settings, as_json)


def _show_only(found: LivepeerOps, settings: Settings, as_json: bool) -> None:
    store = _open_existing(settings)
    try:
        plan = make_plan(found, ExistingState(_records(settings), store), settings, now_ms())
    finally:
        store.close()
    _show(plan.items, as_json)
    if plan.problems:
        raise ImportRefused(plan.problems)
    click.echo("payments: dry run; nothing was recorded", err=True)


def _import(found: LivepeerOps, settings: Settings, as_json: bool) -> None:
    if found.problems:
        raise ImportRefused(found.problems)
    registry = Registry(settings.registry_path, now_ms)
    store = open_store(settings, registry.attribution)
    try:
        plan = make_plan(found, ExistingState(registry.records(), store), settings, now_ms())
        _show(plan.items, as_json)
        carry_out(plan, registry, store)
    finally:
        store.close()
    click.echo(
        f"payments: done: {len(plan.records)} orchestrators registered, {len(plan.commands)} entries recorded", err=True
    )


def _open_existing(settings: Settings) -> Store:
    """The existing ledger; an empty one in memory if there is none."""
    if engine_of(settings).exists():
        return open_store(settings, dict)
    return MemoryStore(Terms, now_ms)


def _records(settings: Settings) -> Mapping[str, Record]:
    path = settings.registry_path
    try:
        return read_records(path.read_bytes(), now_ms()) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise Misconfigured(f"PAY-R01 {path}: {error}; fix the file, or restore it from a backup") from None


def _show(items: list[Item], as_json: bool) -> None:
    show((item.as_json() for item in items), COLUMNS, as_json)
