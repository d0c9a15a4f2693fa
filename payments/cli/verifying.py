"""``payments ledger verify``: checks the whole journal."""

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
    """Check the whole journal on this machine.

    Checks checksums, the hash chain and the number of entries; that balances equal the sums of their entries; that
    intervals of a session, or of a host's power, do not overlap; and that the projections match the entries. Writes
    nothing, and may run beside the API. If it finds a fault, it prints the file and line of the first one and exits
    with 3.

    "owed" is the sum of positive balances, "overdrawn" of negative ones; the two are not offset.
    """
    target.require_local("ledger verify")
    try:
        found = engine_of(Settings.load()).verify()
    except Corrupt as fault:
        click.echo(f"payments: {fault}", err=True)
        ctx.exit(FAULTY)
    show_one({**summary(found), "compared": dict(found.compared)}, as_json)


def summary(found: Verified) -> Mapping[str, Any]:
    """The figures of a verified journal, amounts in ETH."""
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
