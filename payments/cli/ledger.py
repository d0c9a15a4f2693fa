"""``payments ledger``: what is owed, and every entry that made it so."""

from collections.abc import Mapping
from typing import Any

import click

from payments.cli.calls import about, pages
from payments.cli.exporting import export
from payments.cli.options import (
    Target,
    all_option,
    json_option,
    limit_option,
    pass_target,
    read_by,
    since_option,
    until_option,
)
from payments.cli.output import show, show_one
from payments.cli.verifying import check
from payments.domain.money import parse_signed_eth
from payments.domain.times import format_time

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
@pass_target
def show_balances(target: Target, as_json: bool) -> None:
    """What each orchestrator is owed."""
    with target.connect() as api:
        show(api.call("GET", "/api/ledger/balances")["balances"], BALANCES, as_json)


@group.command("events")
@click.option("--orchestrator", "orchestrator_id", help="Of this orchestrator only.")
@click.option("--session", "session_id", help="Of this session only.")
@click.option("--reason", help="With this reason only: session_time, power_time, adjustment, payout, ...")
@since_option
@until_option
@limit_option
@all_option
@json_option
@pass_target
def show_entries(
    target: Target, /, *, limit: int, everything: bool, as_json: bool, since_ms: int | None, until_ms: int | None,
    **query: str | None,
) -> None:  # fmt: skip
    """Entries, newest first.

    A payout is shown with the hash of its transaction, an adjustment with its reference.
    """
    moments = {"since": since_ms, "until": until_ms}
    wanted = {name: value for name, value in query.items() if value is not None}
    wanted |= {name: format_time(moment_ms) for name, moment_ms in moments.items() if moment_ms is not None}
    with target.connect() as api:
        found = pages(api, "/api/ledger/events", "events", wanted, None if everything else limit)
        show(found if as_json else map(_in_table, found), ENTRIES, as_json)


def _in_table(entry: Mapping[str, Any]) -> dict[str, Any]:
    """``entry`` with the details that a table has columns for."""
    told = entry["metadata"]
    return {**told, **entry, "tx_hash_or_reference": told.get("tx_hash") or told.get("reference")}


def _amount(text: str) -> str:
    """``text``, as it is; ``ValueError`` where it is no amount."""
    parse_signed_eth(text)
    return text


# Else an amount below zero would be taken for an option.
@group.command("adjust", context_settings={"ignore_unknown_options": True})
@click.argument("orchestrator_id")
@click.argument("amount", callback=read_by(_amount))
@click.option(
    "--reference", required=True,
    help="Your name for it, of this orchestrator only: under it, it is booked once however often you try.",
)  # fmt: skip
@click.option("--note", required=True, help="Why.")
@json_option
@pass_target
def adjust(target: Target, /, as_json: bool, **said: str) -> None:
    """Correct a balance by AMOUNT in ETH, such as 0.25 or -0.25."""
    with target.connect() as api:
        answer = api.call("POST", "/api/ledger/adjustments", body=said)
        show_one(about(answer, "orchestrator_id", said["orchestrator_id"]), as_json)


group.add_command(check)
group.add_command(export)
