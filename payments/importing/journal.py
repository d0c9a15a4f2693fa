"""The ledger journal of livepeer-ops, line by line.

An entry there has ``timestamp``, ``event`` (``credit``, ``set_balance``), ``orchestrator_id``, ``amount``, ``balance``,
``delta`` and perhaps ``reason`` and ``metadata``. livepeer-ops writes it after ``balances.json``, without a sync, and
ignores failures to write it: the journal explains the balances there, but they are not computed from it.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from payments.importing.amounts import read_amount, total
from payments.strictjson import read_exactly

_EVENTS = ("credit", "set_balance")


class Sums(NamedTuple):
    """Sums over the journal.

    Attributes:
        by_id: the sum of all ``delta`` in ETH, by ``orchestrator_id``.
        units: every ``credit_unit`` that an entry names.
        torn: the message about an unfinished last line; ``None`` if there is none.
        problems: one message per line that cannot be read.
    """

    entries: int
    by_id: dict[str, Decimal]
    units: set[str]
    torn: str | None
    problems: list[str]


def add_up(path: Path) -> Sums:
    """The sums over the journal at ``path``. Raises ``OSError``."""
    with path.open("rb") as file:
        return _add_up(path, file)


def _add_up(path: Path, lines: Iterable[bytes]) -> Sums:
    entries, torn = 0, None
    by_id: dict[str, Decimal] = {}
    units: set[str] = set()
    problems: list[str] = []
    for number, line in _not_empty(lines):
        try:
            orchestrator_id, delta, unit = _entry(line)
        except ValueError as error:
            if line.endswith(b"\n"):
                problems.append(f"{path}, line {number}: {error}")
            else:
                torn = f"{path}, line {number}: its end is missing ({error}); it is not counted"
            continue
        entries += 1
        by_id[orchestrator_id] = total(by_id.get(orchestrator_id, Decimal(0)), delta)
        if unit is not None:
            units.add(unit)
    return Sums(entries, by_id, units, torn, problems)


def _not_empty(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    return ((number, line) for number, line in enumerate(lines, start=1) if line.strip())


def _entry(line: bytes) -> tuple[str, Decimal, str | None]:
    """The orchestrator, the change of its balance, and the unit of the entry in ``line``."""
    entry = read_exactly(line)
    if not isinstance(entry, dict):
        raise ValueError("not a JSON object")
    if (event := entry.get("event")) not in _EVENTS:
        raise ValueError(f'"event" is {str(event)[:80]!a}, which is none of {", ".join(_EVENTS)}')
    orchestrator_id = entry.get("orchestrator_id")
    if not isinstance(orchestrator_id, str) or not orchestrator_id:
        raise ValueError('"orchestrator_id" is not there, or no string')
    try:
        delta = read_amount(entry.get("delta"))
    except ValueError as error:
        raise ValueError(f'"delta": {error}') from None
    return orchestrator_id, delta, _unit(entry.get("metadata"))


def _unit(metadata: Any) -> str | None:
    unit = metadata.get("credit_unit") if isinstance(metadata, dict) else None
    return unit if isinstance(unit, str) else None
