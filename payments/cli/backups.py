"""``payments backup`` and ``payments restore``."""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import click

from payments.cli.options import Target, json_option, pass_target
from payments.cli.output import show_one
from payments.cli.verifying import summary
from payments.registry import good_path
from payments.settings import Settings
from payments.store import engine_of


@click.command("backup", short_help="Back up the journal and the registry.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@json_option
@pass_target
def back_up(target: Target, folder: Path, as_json: bool) -> None:
    """Copy the journal and the registry into a new folder DIR, and verify the copy.

    Payments may keep running. DIR is complete when it has backup.json, which is written last. If root runs this, DIR
    belongs to root.
    """
    target.require_local("backup")
    settings = Settings.load()
    with _as_owner(_data(settings)):
        backup = engine_of(settings).backup(_documents(settings))
    with closing(backup):
        verified = backup.write(folder)
    show_one({"backup": str(folder), **summary(verified)}, as_json)


@click.command("restore", short_help="Restore a backup.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@json_option
@pass_target
def restore(target: Target, folder: Path, as_json: bool) -> None:
    """Replace the journal and the registry with the backup DIR. The API and all workers must be stopped.

    Everything is copied and verified before anything changes. The files that were there move into a folder
    before-<time> beside them. If root runs this, the files belong to the owner of the data folder.
    """
    target.require_local("restore")
    settings = Settings.load()
    with _as_owner(folder):
        restoration = engine_of(settings).restoration(folder, _documents(settings))
    with closing(restoration), _as_owner(_data(settings)):
        restored = restoration.run()
    aside = ", ".join(map(str, restored.aside))
    show_one({"restored": str(folder), **summary(restored.verified), "set_aside": aside}, as_json)
    click.echo("payments: now start the API, which makes the projections, then the worker", err=True)


def _documents(settings: Settings) -> Mapping[str, Path]:
    """The documents that belong to a backup, by their names in it."""
    return {"registry.json": settings.registry_path, "registry.json.good": good_path(settings.registry_path)}


def _data(settings: Settings) -> Path:
    """The folder whose owner Payments runs as: the outer one, unless root owns it; its owner can replace the inner."""
    places = settings.data_dir, engine_of(settings).folder() or settings.data_dir
    return next((each for each in places if each.exists() and each.stat().st_uid != 0), places[0])


@contextmanager
def _as_owner(folder: Path) -> Iterator[None]:
    """Drop root's rights to those of the owner of ``folder``; new files belong to that user."""
    if os.geteuid() != 0 or not folder.exists() or (owner := folder.stat()).st_uid == 0:
        yield
        return
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)
