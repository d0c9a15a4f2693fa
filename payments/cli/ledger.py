"""``payments ledger``: balances, and the entries behind them."""

from collections.abc import Mapping
from typing import Any

import click

from payments.cli.calls import check_answer, pages
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
    """Show and correct balances; list, verify and export entries."""


@group.command("balances")
@json_option
@pass_target
def show_balances(target: Target, as_json: bool) -> None:
    """Show what each orchestrator is owed."""
    with target.connect() as api:
        show(api.call("GET", "/api/ledger/balances")["balances"], BALANCES, as_json)


@group.command("events")
@click.option("--orchestrator", "orchestrator_id", help="Only this orchestrator.")
@click.option("--session", "session_id", help="Only this session.")
@click.option("--reason", help="Only this reason: session_time, power_time, adjustment, payout, ...")
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
    """List entries, newest first.

    A payout shows the hash of its transaction, an adjustment its reference.
    """
    moments = {"since": since_ms, "until": until_ms}
    wanted = {name: value for name, value in query.items() if value is not None}
    wanted |= {name: format_time(moment_ms) for name, moment_ms in moments.items() if moment_ms is not None}
    with target.connect() as api:
        found = pages(api, "/api/ledger/events", "events", wanted, None if everything else limit)
        show(found if as_json else map(_table_row, found), ENTRIES, as_json)


def _table_row(entry: Mapping[str, Any]) -> dict[str, Any]:
    """``entry`` with the details of its metadata that have columns."""
    details = entry["metadata"]
    return {**details, **entry, "tx_hash_or_reference": details.get("tx_hash") or details.get("reference")}


def _amount(text: str) -> str:
    """``text`` unchanged; ``ValueError`` if it is not an amount."""
    parse_signed_eth(text)
    return text


# Otherwise click would take a negative amount for an option.
@group.command("adjust", context_settings={"ignore_unknown_options": True})
@click.argument("orchestrator_id")
@click.argument("amount", callback=read_by(_amount))
@click.option(
    "--reference", required=True,
    help="Idempotency key, per orchestrator: a name you choose; retries with the same name book nothing twice.",
)  # fmt: skip
@click.option("--note", required=True, help="Reason.")
@json_option
@pass_target
def adjust(target: Target, /, as_json: bool, **fields: str) -> None:
    """Correct a balance by AMOUNT in ETH, such as 0.25 or -0.25."""
    with target.connect() as api:
        answer = api.call("POST", "/api/ledger/adjustments", body=fields)
        show_one(check_answer(answer, "orchestrator_id", fields["orchestrator_id"]), as_json)


group.add_command(check)
group.add_command(export)
