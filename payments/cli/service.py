"""``payments config check``, ``payments serve``, ``payments worker``."""

import os
import sys
from dataclasses import fields
from importlib.resources import files
from pathlib import Path

import click

from payments.cli.options import json_option
from payments.cli.output import show_one
from payments.settings import Settings


@click.group("config")
def config() -> None:
    """The settings that are in force."""


@config.command("check")
@json_option
def check(as_json: bool) -> None:
    """Read the settings, name everything that is wrong with them, and show them; tokens only as set or not."""
    settings = Settings.load()
    show_one({each.metadata["name"]: _shown(settings, each.name, each.repr) for each in fields(settings)}, as_json)
    for doubt in settings.doubts():
        click.echo(f"payments: warning: {doubt}", err=True)


@click.command("serve")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def serve(arguments: tuple[str, ...]) -> None:
    """Run the API in the foreground. ARGUMENTS behind -- go to gunicorn."""
    configuration = Path(str(files("payments"))).parent / "deploy" / "gunicorn.conf.py"
    _become("gunicorn", "-c", str(configuration), *arguments, "wsgi:app")


@click.command("worker")
def worker() -> None:
    """Run the worker in the foreground."""
    _become("worker")


def _become(module: str, *arguments: str) -> None:
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])  # noqa: S606


def _shown(settings: Settings, name: str, is_open: bool) -> object:
    value = getattr(settings, name)
    if not is_open:
        return "set" if value else "not set"
    return str(value) if isinstance(value, Path) else value
