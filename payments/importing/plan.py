"""The import as one plan, and carrying it out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from payments.domain.commands import Command
from payments.errors import Rejected
from payments.importing.balances import plan_balances
from payments.importing.livepeer_ops import BALANCES, JOURNAL, TEE_STATE, LivepeerOps
from payments.importing.orchestrators import plan_orchestrators
from payments.importing.report import NOTE, ImportRefused, Item
from payments.importing.sessions import plan_power, plan_sessions
from payments.registry import Record, Registry
from payments.settings import Settings
from payments.store import Store

_BATCH_SIZE = 1000


class ExistingState(NamedTuple):
    """The registry and the store before the import."""

    records: Mapping[str, Record]
    store: Store


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """The plan of an import.

    Attributes:
        records: passed to ``Registry.register`` first, because attribution depends on them.
        commands: executed next. Some may have been executed by an earlier run.
        items: what happens to each thing that was found.
        problems: what prevents the import; empty if nothing does.
    """

    records: list[dict[str, Any]]
    commands: list[Command]
    items: list[Item]
    problems: list[str]


def make_plan(found: LivepeerOps, existing: ExistingState, settings: Settings, now_ms: int) -> ImportPlan:
    """Plan the import of ``found``, without changing anything."""
    orchestrators = plan_orchestrators(found, existing.records, now_ms)
    balances = plan_balances(found, orchestrators.registered, existing.store)
    sessions = plan_sessions(found, orchestrators, existing.store, settings, now_ms)
    power = plan_power(found, orchestrators, existing.store, settings, now_ms)
    parts = (orchestrators, balances, sessions, power)
    return ImportPlan(
        orchestrators.added,
        [*balances.commands, *sessions.commands, *power.commands],
        [*(item for part in parts for item in part.items), *_notes(found, settings)],
        [*found.problems, *(problem for part in parts for problem in part.problems)],
    )


def carry_out(plan: ImportPlan, registry: Registry, store: Store) -> None:
    """Do what is not done yet. Raises ``ImportRefused``, ``Rejected`` and ``Unavailable``; can be called again then."""
    if plan.problems:
        raise ImportRefused(plan.problems)
    for values in plan.records:
        if values["orchestrator_id"] not in registry.records():
            registry.register(values)
    for begin in range(0, len(plan.commands), _BATCH_SIZE):
        for result in store.execute(plan.commands[begin : begin + _BATCH_SIZE]):
            if isinstance(result, Rejected):
                raise result


def _notes(found: LivepeerOps, settings: Settings) -> list[Item]:
    """Items about the files."""
    notes = [(name, f"{found.folder / name} is not there; nothing is taken from it") for name in found.missing]
    notes.append(
        (BALANCES, f"what livepeer-ops pays by, and so what is taken over; {JOURNAL} is only compared with it")
    )
    if found.sums is not None and found.sums.torn is not None:
        notes.append((JOURNAL, found.sums.torn))
    if found.sums is not None and (units := found.sums.units - {settings.credit_unit}):
        there = ", ".join(sorted(map(ascii, units)))
        here = f"here (PAYMENTS_CREDIT_UNIT) in {settings.credit_unit!a}"
        notes.append((JOURNAL, f"credits there are in {there}, {here}; the figures are taken over as they are"))
    if found.has_tee_state:
        warning = f"where it was the authority, {BALANCES} is not what was owed: compare before you import"
        notes.append((TEE_STATE, f"an enclave kept balances too; {warning}"))
    return [Item(name, "", NOTE, detail) for name, detail in notes]
