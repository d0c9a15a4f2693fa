"""``payments backup`` and ``payments restore``: a copy for a bad day, and the way back."""

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


@click.command("backup")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@json_option
@pass_target
def back_up(target: Target, folder: Path, as_json: bool) -> None:
    """Copy the journal and the registry into DIR, a folder that is not there yet, and verify the copy.

    Everything may run meanwhile. DIR is whole when backup.json is in it, which is written last. Root may do this too:
    then DIR is root's.
    """
    target.stay_here("backup")
    settings = Settings.load()
    with _as_owner(_data(settings)):
        backup = engine_of(settings).backup(_documents(settings))
    with closing(backup):
        verified = backup.write(folder)
    show_one({"backup": str(folder), **summary(verified)}, as_json)


@click.command("restore")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@json_option
@pass_target
def put_back(target: Target, folder: Path, as_json: bool) -> None:
    """Put the backup DIR where the journal and the registry are; the API and all workers must be stopped.

    All of it is copied and verified before anything changes. What is there then is not removed, but moved into a folder
    before-<time> beside it. Root may do this too: the files are then the data folder's owner's.
    """
    target.stay_here("restore")
    settings = Settings.load()
    with _as_owner(folder):
        restoration = engine_of(settings).restoration(folder, _documents(settings))
    with closing(restoration), _as_owner(_data(settings)):
        restored = restoration.run()
    aside = ", ".join(map(str, restored.aside))
    show_one({"restored": str(folder), **summary(restored.verified), "set_aside": aside}, as_json)
    click.echo("payments: start the API, which makes the projections, and then the worker", err=True)


def _documents(settings: Settings) -> Mapping[str, Path]:
    """What is kept with the journal, by its names in a backup."""
    return {"registry.json": settings.registry_path, "registry.json.good": good_path(settings.registry_path)}


def _data(settings: Settings) -> Path:
    """The folder whose owner Payments runs as: none inside it, if it can be, for those that user could exchange."""
    places = settings.data_dir, engine_of(settings).folder() or settings.data_dir
    return next((each for each in places if each.exists() and each.stat().st_uid != 0), places[0])


@contextmanager
def _as_owner(folder: Path) -> Iterator[None]:
    """For root: with no more rights than the owner of ``folder`` has, and what is made is that user's."""
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
