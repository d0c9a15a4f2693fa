"""``payments ledger export``: the journal in formats of other programs."""

from pathlib import Path
from typing import Any

import click

from payments.cli.files import write_text
from payments.cli.options import Target, pass_target, since_option, until_option
from payments.exports import FORMATS
from payments.settings import Settings
from payments.store import EntryQuery, engine_of


@click.command("export", short_help="Export entries for other programs.")
@click.option("--format", "kind", type=click.Choice(list(FORMATS)), required=True, help="Output format.")
@since_option
@until_option
@click.option("--orchestrator", "orchestrator_id", help="Only this orchestrator.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path), default="-",
    help="Write to this file instead of standard output. It appears when it is complete.",
)  # fmt: skip
@pass_target
def export(target: Target, /, kind: str, output: Path, **wanted: Any) -> None:
    """Write the journal, oldest entry first, as CSV, JSON lines, or for hledger or beancount.

    It reads the journal's files, whether or not the API runs. JSON lines have every entry as the API shows it, the
    other formats those that move money. With --since or --until, opening balances are not included.

    \b
    csv        amounts are numbers; text that a spreadsheet could take for a formula, or that begins with
               an apostrophe, gets an apostrophe in front
    hledger, beancount
               what is owed is a liability, exact to the wei: the account of orch-eu is
               Liabilities:Orchestrators:Orch-eu
    """
    target.require_local("ledger export")
    form = FORMATS[kind]
    with engine_of(Settings.load()).export(EntryQuery(**wanted), money_only=form.money_only) as records:
        write_text(None if str(output) == "-" else output, form.write(records), follow=True)
