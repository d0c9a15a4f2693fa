"""``payments ledger verify``: is the journal right."""

from collections.abc import Mapping
from typing import Any

import click

from payments.cli.options import Target, json_option, pass_target
from payments.cli.output import FAULTY, show_one
from payments.domain.money import format_eth
from payments.errors import Corrupt
from payments.settings import Settings
from payments.store import Verified, engine_of


@click.command("verify")
@json_option
@pass_target
@click.pass_context
def check(ctx: click.Context, target: Target, as_json: bool) -> None:
    """Walk through the whole journal here and hold everything in it against everything else.

    Checksums, the chain, the count; balances against sums; no moment of a session, or of a host's power, in two
    intervals; the projections against what the entries say. It writes nothing, and may run beside the API. Exit code 3,
    and the file and line of the first fault, where it finds one.

    "owed" is the sum of the balances above zero, "overdrawn" of those below it: nobody's debt pays another.
    """
    target.require_local("ledger verify")
    try:
        found = engine_of(Settings.load()).verify()
    except Corrupt as fault:
        click.echo(f"payments: {fault}", err=True)
        ctx.exit(FAULTY)
    show_one({**summary(found), "compared": dict(found.compared)}, as_json)


def summary(found: Verified) -> Mapping[str, Any]:
    """What was found in a journal that holds together."""
    balances_wei = found.balances_wei.values()
    return {
        "entries": found.entries,
        "segments": found.segments,
        "bytes": found.bytes,
        "sessions": found.sessions,
        "orchestrators": len(found.balances_wei),
        "owed": format_eth(sum(wei for wei in balances_wei if wei > 0)),
        "overdrawn": format_eth(-sum(wei for wei in balances_wei if wei < 0)),
    }
