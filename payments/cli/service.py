"""``payments config check``, ``payments serve``, ``payments worker``."""

import os
import re
import sys
from dataclasses import fields
from importlib.resources import files
from pathlib import Path

import click

from payments.cli.options import Target, json_option, pass_target
from payments.cli.output import show_one
from payments.cli.preflight import file_warnings, obstacles
from payments.errors import Misconfigured
from payments.settings import Settings


@click.group("config")
def config() -> None:
    """Show and check the settings."""


@config.command("check")
@json_option
@pass_target
def check(target: Target, as_json: bool) -> None:
    """Show the settings, and report everything that would stop a start. Tokens show only as set or not set.

    The output has the form of .env. Unknown names starting with PAYMENTS_ cause a warning.
    """
    target.require_local("config check")
    settings = Settings.load()
    for warning in (*Settings.name_warnings(), *settings.warnings(), *file_warnings(settings)):
        click.echo(f"payments: warning: {warning}", err=True)
    if problems := obstacles(settings):
        raise Misconfigured("\n".join(problems))
    _show(settings, as_json)


def _show(settings: Settings, as_json: bool) -> None:
    values = settings.spelled()
    is_set = {each.metadata["name"]: bool(getattr(settings, each.name)) for each in fields(settings)}
    state = {name: "set" if is_set[name] else "not set" for name, value in values.items() if value is None}
    if as_json:
        show_one({**values, **state}, as_json)
        return
    for name, value in values.items():
        # A comment: pasted into .env, "set" must not become the token.
        click.echo(f"# {name} is {state[name]}" if value is None else f"{name}={_quoted(value)}")


def _quoted(value: str) -> str:
    """``value`` quoted for ``.env``."""
    if re.fullmatch(r"[\w@%+:,./<>~-]*", value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


@click.command("serve")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def serve(arguments: tuple[str, ...]) -> None:
    """Run the API in the foreground. Arguments after -- go to gunicorn."""
    _exec(api_command(*arguments))


@click.command("worker")
def worker() -> None:
    """Run the worker in the foreground."""
    _exec(worker_command())


def api_command(*arguments: str) -> list[str]:
    """The command line of the API: gunicorn, with the shipped configuration and ``arguments``."""
    # In a checkout it is beside the code, in a release beside the virtual environment.
    tops = Path(str(files("payments"))).parent, Path(sys.prefix).parent
    places = [top / "deploy" / "gunicorn.conf.py" for top in tops]
    found = next((place for place in places if place.exists()), None)
    if found is None:
        raise Misconfigured(
            f"PAY-O01 {places[0]}: gunicorn's settings are not there; use the payments of a checkout or a release"
        )
    return [sys.executable, "-m", "gunicorn", "-c", str(found), *arguments, "wsgi:app"]


def worker_command() -> list[str]:
    """The command line of the worker."""
    return [sys.executable, "-m", "worker"]


def _exec(command: list[str]) -> None:
    sys.stdout.flush()
    os.execv(command[0], command)  # noqa: S606
