"""The command line as a whole."""

import os
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import click

from payments.cli import backups, importing, ledger, orchestrators, payouts, service, sessions
from payments.cli.calls import Failed
from payments.cli.demo.command import demo
from payments.cli.options import Target, read_by
from payments.cli.output import FAILED, MISUSED
from payments.endpoints import read_http_url
from payments.errors import PaymentsError


class _Commands(click.Group):
    """Commands that report an error in a few lines, with the remedy, and without a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except PaymentsError as error:
            click.echo(f"payments: {error}", err=True)
            ctx.exit(MISUSED if isinstance(error, Failed) and error.is_misuse else FAILED)

    def main(self, *arguments: Any, **options: Any) -> Any:
        if hasattr(sys.stdout, "reconfigure"):
            # An id may have characters that the terminal's encoding lacks.
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            return super().main(*arguments, **options)
        except OSError as error:
            # Files are opened by name, so an error without a name is about the output. click handles a closed pipe.
            problem = "cannot write the output" if error.filename is None else f"{error.filename}: cannot be used"
            click.echo(f"payments: {problem} ({error.strerror})", err=True)
            _discard_output()
            sys.exit(FAILED)


def _discard_output() -> None:
    """Send buffered output nowhere: the interpreter would try to write it at exit, and fail again."""
    with suppress(OSError, ValueError), Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _token(_: click.Context, option: click.Parameter, text: str | None) -> str | None:
    if text is not None and not (text.isascii() and text.isprintable()):
        raise click.BadParameter("a token holds printable ASCII only", param=option)
    return text


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--api-url",
    envvar="PAYMENTS_API_URL",
    callback=read_by(partial(read_http_url, is_base=True)),
    help="Call the API at this URL instead of using the local files.",
)
@click.option("--token", envvar="PAYMENTS_API_TOKEN", callback=_token, help="A viewer's or admin's token for that API.")
@click.version_option(package_name="pixel-streaming-payments")
@click.pass_context
def main(ctx: click.Context, api_url: str | None, token: str | None) -> None:
    """See who is connected and who earned what and why, check the ledger, and pay.

    Settings come from the environment and from .env in this folder, as for the API. Commands work whether or not the
    API runs.

    Exit codes: 0 completed; 1 failed, see the message; 2 wrong command line; 3 completed, but problems were found.
    """
    ctx.obj = Target(api_url, token)


main.add_command(orchestrators.group)
main.add_command(sessions.group)
main.add_command(ledger.group)
main.add_command(payouts.group)
main.add_command(importing.group)
main.add_command(backups.back_up)
main.add_command(backups.restore)
main.add_command(service.config)
main.add_command(service.serve)
main.add_command(service.worker)
main.add_command(demo)
