"""Which registry records are taken over.

Only missing records are taken over: an existing one may have been changed since, so it stays as it is. Orchestrators
that earn nothing there (denylisted, not among the top, cooling down) are taken over disabled. Fields about health,
services and contacts have no counterpart here.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from marshmallow import EXCLUDE, ValidationError

from payments.fields import Moment
from payments.importing.livepeer_ops import REGISTRY, LivepeerOps, printable
from payments.importing.report import CONFLICT, HERE, TAKEN, Item
from payments.registry import Record, RecordSchema

_REMEDY = " (or register this orchestrator here first: what is here is left as it is)"
_COMPARED = ("address", "host_public_ip", "host_name")


class Orchestrators(NamedTuple):
    """The records to take over, and the registry after that.

    Attributes:
        added: records to pass to ``Registry.register``.
        registered: ids of all records after the import.
        enabled: ids of the enabled ones.
        attribution: ids of the enabled ones by ``host_public_ip``.
    """

    added: list[dict[str, Any]]
    registered: set[str]
    enabled: set[str]
    attribution: Mapping[str, str]
    items: list[Item]
    problems: list[str]


class _RecordSchema(RecordSchema):
    class Meta:
        unknown = EXCLUDE
        exclude = ("power_url", "enabled")

    first_seen = Moment(allow_none=True)
    cooldown_expires_at = Moment(allow_none=True)


_SCHEMA = _RecordSchema()
_COMPARED_SCHEMA = RecordSchema(only=_COMPARED)


def plan_orchestrators(found: LivepeerOps, known: Mapping[str, Record], now_ms: int) -> Orchestrators:
    """Plan what to do with the records of ``found``, given the ``known`` ones here."""
    records = dict(known)
    owners = {each.host_public_ip: each.orchestrator_id for each in known.values() if each.host_public_ip is not None}
    items: list[Item] = []
    problems: list[str] = []
    for orchestrator_id, fields in found.records.items():
        if orchestrator_id in known:
            items.append(_compared(known[orchestrator_id], fields))
            continue
        try:
            record, why_not = _read(fields, now_ms)
        except ValidationError as error:
            where = f"{found.folder / REGISTRY}, record {printable(orchestrator_id)}"
            problems += [f"{where}: {complaint}{_REMEDY}" for complaint in _complaints(error)]
            continue
        owner = owners.setdefault(record.host_public_ip, orchestrator_id) if record.host_public_ip else orchestrator_id
        if owner == orchestrator_id:
            items.append(_taken_over(record, why_not))
        elif owner in known:
            items.append(_without_host(record, owner))
            record = record._replace(host_public_ip=None)
        else:
            problems.append(
                f"{found.folder / REGISTRY}, record {printable(orchestrator_id)}: "
                f"host_public_ip {record.host_public_ip} is that of {printable(owner)} too; "
                "register here first the one that has it"
            )
        records[orchestrator_id] = record
    enabled = [each for each in records.values() if each.enabled]
    return Orchestrators(
        [_values(each) for each in records.values() if each.orchestrator_id not in known],
        set(records),
        {each.orchestrator_id for each in enabled},
        {each.host_public_ip: each.orchestrator_id for each in enabled if each.host_public_ip is not None},
        items,
        problems,
    )


def check_id(orchestrator_id: str) -> None:
    """Raises ``ValueError`` if a record here cannot have that id."""
    try:
        _SCHEMA.load({"orchestrator_id": orchestrator_id})
    except ValidationError as error:
        raise ValueError("; ".join(_complaints(error))) from None


def _read(fields: Mapping[str, Any], now_ms: int) -> tuple[Record, str | None]:
    """The record, and why it is disabled."""
    loaded = _SCHEMA.load(fields)
    cooling_until_ms = loaded.get("cooldown_expires_at") or 0
    why_not = None
    if fields.get("denylisted"):
        why_not = "denylisted there"
    elif not fields.get("is_top_100"):
        why_not = "not eligible for payments there (is_top_100 is false)"
    elif cooling_until_ms > now_ms:
        why_not = f"cooling down there until {fields['cooldown_expires_at']}"
    record = Record(
        loaded["orchestrator_id"],
        loaded.get("address"),
        loaded.get("host_public_ip"),
        loaded.get("host_name"),
        None,
        why_not is None,
        loaded.get("first_seen") or now_ms,
        now_ms,
    )
    return record, why_not


def _values(record: Record) -> dict[str, Any]:
    return {name: value for name, value in record._asdict().items() if name != "updated_at_ms"}


def _taken_over(record: Record, why_not: str | None) -> Item:
    facts = {"host_public_ip": record.host_public_ip, "address": record.address, "enabled": record.enabled}
    detail = f"host {record.host_public_ip or 'unknown'}"
    if why_not is not None:
        undo = f"payments orchestrators disable {record.orchestrator_id} --undo"
        detail += f"; disabled, for it is {why_not} (to enable it: {undo})"
    return Item("orchestrator", record.orchestrator_id, TAKEN, detail, facts)


def _without_host(record: Record, owner: str) -> Item:
    detail = f"taken over without its host: here, {record.host_public_ip} belongs to {owner}"
    return Item("orchestrator", record.orchestrator_id, CONFLICT, detail, {"host_public_ip": record.host_public_ip})


def _compared(record: Record, fields: Mapping[str, Any]) -> Item:
    """The item about a record that exists here already."""
    existing = record._asdict()
    differing = [
        f"{name} is {existing[name]} here and {str(value)[:140]!a} there"
        for name in _COMPARED
        if (value := fields.get(name)) is not None and _spelled(name, value) != existing[name]
    ]
    if not differing:
        return Item("orchestrator", record.orchestrator_id, HERE, "left as it is")
    return Item("orchestrator", record.orchestrator_id, CONFLICT, f"left as it is: {'; '.join(differing)}")


def _spelled(name: str, value: Any) -> Any:
    """``value`` in the spelling of a record here; unchanged if it is invalid."""
    try:
        return _COMPARED_SCHEMA.load({name: value}, partial=True)[name]
    except ValidationError:
        return value


def _complaints(error: ValidationError) -> list[str]:
    return [f"{field}: {' '.join(messages)}" for field, messages in sorted(error.messages_dict.items())]
