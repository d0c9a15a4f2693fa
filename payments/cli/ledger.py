"""``payments ledger``: what is owed, and every entry that made it so."""

from collections.abc import Mapping
from typing import Any

import click

from payments.cli.calls import about, pages
from payments.cli.exporting import export
from payments.cli.options import Where, all_option, json_option, limit_option, pass_where
from payments.cli.output import show, show_one
from payments.cli.verifying import check

ENTRIES = (
    "seq", "timestamp", "event", "reason", "orchestrator_id", "delta", "balance", "session_id", "tx_hash_or_reference",
    "note",
)  # fmt: skip
BALANCES = ("orchestrator_id", "balance", "credit_unit", "updated_at")


@click.group("ledger")
def group() -> None:
    """What is owed to whom, and every entry that made it so."""


@group.command("balances")
@json_option
@pass_where
def show_balances(where: Where, as_json: bool) -> None:
    """What each orchestrator is owed."""
    with where.reach() as api:
        show(api.call("GET", "/api/ledger/balances")["balances"], BALANCES, as_json)


@group.command("events")
@click.option("--orchestrator", "orchestrator_id", help="Of this orchestrator only.")
@click.option("--session", "session_id", help="Of this session only.")
@click.option("--reason", help="With this reason only: session_time, power_time, adjustment, payout, ...")
@click.option("--since", help="Recorded at this time or later (RFC 3339).")
@click.option("--until", help="Recorded before this time (RFC 3339).")
@limit_option
@all_option
@json_option
@pass_where
def show_entries(where: Where, /, limit: int, everything: bool, as_json: bool, **query: str | None) -> None:
    """Entries, newest first.

    A payout is shown with the hash of its transaction, an adjustment with its reference.
    """
    wanted = {name: value for name, value in query.items() if value is not None}
    with where.reach() as api:
        found = pages(api, "/api/ledger/events", "events", wanted, None if everything else limit)
        show(found if as_json else map(_in_table, found), ENTRIES, as_json)


def _in_table(entry: Mapping[str, Any]) -> dict[str, Any]:
    """``entry`` with the details that a table has columns for."""
    told = entry["metadata"]
    return {**told, **entry, "tx_hash_or_reference": told.get("tx_hash") or told.get("reference")}


# Else an amount below zero would be taken for an option.
@group.command("adjust", context_settings={"ignore_unknown_options": True})
@click.argument("orchestrator_id")
@click.argument("amount")
@click.option(
    "--reference", required=True,
    help="Your name for it, of this orchestrator only: under it, it is booked once however often you try.",
)  # fmt: skip
@click.option("--note", required=True, help="Why.")
@json_option
@pass_where
def adjust(where: Where, /, as_json: bool, **said: str) -> None:
    """Correct a balance by AMOUNT in ETH, such as 0.25 or -0.25."""
    with where.reach() as api:
        answer = api.call("POST", "/api/ledger/adjustments", body=said)
        show_one(about(answer, "orchestrator_id", said["orchestrator_id"]), as_json)


group.add_command(check)
group.add_command(export)
