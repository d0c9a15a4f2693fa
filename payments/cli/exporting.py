"""``payments ledger export``: the journal, for other programs."""

from pathlib import Path
from typing import Any

import click

from payments.cli.files import write_text
from payments.cli.options import Target, pass_target, since_option, until_option
from payments.exports import FORMATS
from payments.settings import Settings
from payments.store import EntryQuery, engine_of


@click.command("export")
@click.option("--format", "kind", type=click.Choice(list(FORMATS)), required=True, help="What to write.")
@since_option
@until_option
@click.option("--orchestrator", "orchestrator_id", help="Of this orchestrator only.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path), default="-",
    help="Write to this file, which appears when it is whole, instead of standard output.",
)  # fmt: skip
@pass_target
def export(target: Target, /, kind: str, output: Path, **wanted: Any) -> None:
    """Write the journal, oldest entry first, as CSV, JSON lines, or for hledger or beancount.

    It reads the journal's files, beside a running API or without one. JSON lines hold every entry as the API shows it;
    the others, those that move money. A part (--since, --until) holds what moved in it, not what was owed before.

    \b
    csv        amounts are numbers; a text that a spreadsheet might take for a formula has an apostrophe
               in front, and so has one that begins with an apostrophe
    hledger, beancount
               what is owed is a liability, to the wei: the account of orch-eu is
               Liabilities:Orchestrators:Orch-eu
    """
    target.stay_here("ledger export")
    form = FORMATS[kind]
    with engine_of(Settings.load()).export(EntryQuery(**wanted), money_only=form.money_only) as records:
        write_text(None if str(output) == "-" else output, form.write(records), follow=True)
