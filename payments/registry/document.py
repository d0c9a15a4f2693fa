"""``registry.json`` <-> records. Pure."""

import codecs
import json
from collections.abc import Mapping
from typing import Any

from marshmallow.exceptions import ValidationError

from payments.fields import Moment
from payments.registry.records import Record, RecordSchema
from payments.strictjson import read_strictly


class _DocumentSchema(RecordSchema):
    registered_at = Moment()
    updated_at = Moment()


_SCHEMA = _DocumentSchema()


def read_document(data: bytes, now_ms: int) -> dict[str, Record]:
    """The records by id. Missing times default to ``now_ms``. Raises ``ValueError`` with one line per problem."""
    return {name: _record(values, now_ms) for name, values in read_fields(data).items()}


def read_fields(data: bytes) -> dict[str, dict[str, Any]]:
    """The fields of each record, by id, without defaults. Raises as ``read_document``."""
    records: dict[str, dict[str, Any]] = {}
    owners: dict[str, str] = {}
    problems: list[str] = []
    for number, item in enumerate(_items(data), start=1):
        try:
            values: dict[str, Any] = _SCHEMA.load(item)
        except ValidationError as error:
            name = item.get("orchestrator_id", f"number {number}") if isinstance(item, dict) else f"number {number}"
            problems += [f"record {name}: {complaint}" for complaint in _complaints(error)]
            continue
        host, orchestrator_id = values.get("host_public_ip"), values["orchestrator_id"]
        if host is not None and owners.setdefault(host, orchestrator_id) != orchestrator_id:
            problems.append(f"record {orchestrator_id}: {host_conflict(host, owners[host])}")
        if orchestrator_id in records:
            problems.append(f"record {orchestrator_id}: there are two of that orchestrator_id")
        records[orchestrator_id] = values
    if problems:
        raise ValueError("\n".join(problems))
    return records


def write_document(records: Mapping[str, Record]) -> bytes:
    """The document of ``records``, indented for editing by hand."""
    document = {"orchestrators": [record.as_json() for record in records.values()]}
    return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"


def host_conflict(host_public_ip: str, owner: str) -> str:
    """The message for a record that claims another's host: one host belongs to one orchestrator (rule 4.4)."""
    return f"host_public_ip {host_public_ip} belongs to {owner} already"


def _items(data: bytes) -> list[Any]:
    # Some editors begin a file with a byte order mark.
    document = read_strictly(data.removeprefix(codecs.BOM_UTF8))
    items = document.get("orchestrators") if isinstance(document, dict) else document
    if not isinstance(items, list):
        raise ValueError('not an object with a list "orchestrators" of records')
    return items


def _record(values: Mapping[str, Any], now_ms: int) -> Record:
    registered_at_ms = values.get("registered_at", now_ms)
    return Record(
        values["orchestrator_id"],
        values.get("address"),
        values.get("host_public_ip"),
        values.get("host_name"),
        values.get("power_url"),
        values.get("enabled", True),
        registered_at_ms,
        values.get("updated_at", registered_at_ms),
    )


def _complaints(error: ValidationError) -> list[str]:
    return [f"{field}: {' '.join(messages)}" for field, messages in sorted(error.messages_dict.items())]
