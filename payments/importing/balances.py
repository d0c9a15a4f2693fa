"""Which balances are taken over: those of ``balances.json``, which livepeer-ops pays by.

One adjustment for each orchestrator, always under the same reference, so it is booked once however often the import
runs. Fractions of a wei cannot be owed here: they are left behind, and the item says so.
"""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import NamedTuple

from payments.domain.entries import JSON
from payments.domain.ledger import Adjustment
from payments.domain.money import format_eth
from payments.importing.amounts import difference, plain, whole_wei
from payments.importing.livepeer_ops import BALANCES, JOURNAL, LivepeerOps, printable
from payments.importing.orchestrators import check_id
from payments.importing.report import HERE, LEFT, TAKEN, Item
from payments.store import Store

REFERENCE = "livepeer-ops:opening-balance"

_WEI = Decimal("1E-18")


class Balances(NamedTuple):
    """Commands to book, items to show, and problems that stop the import."""

    commands: list[Adjustment]
    items: list[Item]
    problems: list[str]


def plan_balances(found: LivepeerOps, registered: Collection[str], store: Store) -> Balances:
    """Plan the bookings for the balances of ``found``.

    ``registered``: the ids that have a record after the import. ``store``: the ledger before the import.
    """
    planned = Balances([], [], [])
    sums: Mapping[str, Decimal] = found.sums.by_id if found.sums else {}
    for orchestrator_id in [*found.balances, *(each for each in sums if each not in found.balances)]:
        where = f"{found.folder / BALANCES}, record {printable(orchestrator_id)}"
        try:
            check_id(orchestrator_id)
            _plan_one(planned, found, registered, store, orchestrator_id)
        except ValueError as error:
            planned.problems.append(f"{where}: {error}")
    return planned


def _plan_one(
    planned: Balances, found: LivepeerOps, registered: Collection[str], store: Store, orchestrator_id: str
) -> None:
    """Raises ``ValueError`` if another balance was taken over before."""
    amount = found.balances.get(orchestrator_id, Decimal(0))
    wei, below = whole_wei(amount)
    note = f"balance taken over from livepeer-ops, {plain(amount)} there"
    command = Adjustment(orchestrator_id, wei, REFERENCE, note)
    existing = store.balance(orchestrator_id)
    booked = existing.booked.get(command.key) if existing else None
    if booked is not None and booked.delta_wei != wei:
        raise ValueError(
            f"{plain(amount)} is not the {format_eth(booked.delta_wei)} that was taken over before, by entry "
            f"{booked.seq}; stop livepeer-ops, and book what came since with payments ledger adjust"
        )
    owed_wei = existing.balance_wei if existing else 0
    facts: dict[str, JSON] = {"balance": plain(amount), "taken_over": format_eth(wei), "below_one_wei": plain(below)}
    if booked is not None:
        action, details = HERE, [f"{format_eth(wei)} was taken over before, by entry {booked.seq}"]
    elif not wei:
        action, details = LEFT, ["nothing is owed" if orchestrator_id in found.balances else f"not in {BALANCES}"]
    else:
        action, details = TAKEN, [f"{format_eth(wei)}, as {BALANCES} says"]
        if owed_wei:
            details.append(f"added to the {format_eth(owed_wei)} that it is owed here")
        planned.commands.append(command)
        if orchestrator_id not in registered:
            details.append("it has no record, so no address to pay to")
    if below:
        details.append(f"{plain(below)} below one wei is left behind")
    details += _compare(found, orchestrator_id, amount, facts)
    planned.items.append(Item("balance", orchestrator_id, action, "; ".join(details), facts))


def _compare(found: LivepeerOps, orchestrator_id: str, amount: Decimal, facts: dict[str, JSON]) -> list[str]:
    """How the balance differs from the journal's sum; adds both to ``facts``. Ignores less than one wei (rounding)."""
    if found.sums is None:
        return []
    added_up = found.sums.by_id.get(orchestrator_id, Decimal(0))
    apart = difference(amount, added_up)
    facts["journal_sum"], facts["difference"] = plain(added_up), plain(apart)
    facts["agrees"] = apart.copy_abs() < _WEI
    if facts["agrees"]:
        return []
    side = "above" if apart > 0 else "below"
    return [f"{JOURNAL} adds up to {plain(added_up)}: {BALANCES} is {plain(apart.copy_abs())} {side} that"]
