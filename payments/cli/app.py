"""The command line as a whole."""

import click

from payments.cli import importing, ledger, orchestrators, payouts, service, sessions
from payments.cli.options import Where
from payments.cli.output import FAILED
from payments.errors import PaymentsError


class _Commands(click.Group):
    """Commands that say what is wrong in a few lines, and where to mend it, instead of where in the code it arose."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except PaymentsError as error:
            click.echo(f"payments: {error}", err=True)
            ctx.exit(FAILED)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--api-url", envvar="PAYMENTS_API_URL", help="Ask the API there instead of the files here.")
@click.option("--token", envvar="PAYMENTS_API_TOKEN", help="A viewer's or admin's token for it.")
@click.version_option(package_name="payments")
@click.pass_context
def main(ctx: click.Context, api_url: str | None, token: str | None) -> None:
    """Who is connected, who earned what and why, is the ledger right, how do I pay.

    Settings come from the environment and from .env in this folder, as for the API. Commands may be run beside it.

    Exit codes: 0 done; 1 not done, see the message; 2 the command line is wrong; 3 done, and what was examined is at
    fault.
    """
    ctx.obj = Where(api_url, token)


main.add_command(orchestrators.group)
main.add_command(sessions.group)
main.add_command(ledger.group)
main.add_command(payouts.group)
main.add_command(importing.group)
main.add_command(service.config)
main.add_command(service.serve)
main.add_command(service.worker)
