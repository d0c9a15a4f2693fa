"""Registries on a folder, and documents as an operator would write them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from payments.disk import Disk
from payments.registry import Record, Registry
from tests.harness import NOON_MS, Clock

RECORD_A = {"orchestrator_id": "orch-a", "host_public_ip": "203.0.113.10"}
RECORD_B = {"orchestrator_id": "orch-b", "host_public_ip": "203.0.113.20"}


def registry_path(folder: Path) -> Path:
    return folder / "registry.json"


def open_registry(folder: Path, clock: Clock | None = None, disk: Disk | None = None) -> Registry:
    """A registry on ``registry.json`` in ``folder``; several may share it."""
    return Registry(registry_path(folder), clock or Clock(), disk)


def edit(folder: Path, *records: Mapping[str, Any]) -> None:
    """Write ``records`` over the document, by hand and in place."""
    edit_raw(folder, json.dumps({"orchestrators": records}).encode())


def edit_raw(folder: Path, data: bytes) -> None:
    registry_path(folder).write_bytes(data)


def record(orchestrator_id: str = "orch-a", **fields: Any) -> Record:
    """A record of ``NOON_MS`` with only the given fields."""
    nothing = Record(orchestrator_id, None, None, None, None, True, NOON_MS, NOON_MS)
    return nothing._replace(**fields)


def timeless(registry: Registry) -> dict[str, Record]:
    """The current records, all with the time ``NOON_MS``."""
    return {
        name: each._replace(registered_at_ms=NOON_MS, updated_at_ms=NOON_MS)
        for name, each in registry.records().items()
    }
