"""``PAYMENTS_BOOTSTRAP_ORCHESTRATORS_PATH``: records to register at start."""

import json
from pathlib import Path
from typing import Any

import pytest

from payments.errors import Misconfigured
from payments.registry import bootstrap
from tests.harness import HOST_A, HOST_B, NOON_MS, Clock, uncoded
from tests.registry.helpers import RECORD_A, RECORD_B, edit_raw, open_registry, record, registry_path


def wanted(folder: Path, document: Any) -> Path:
    """A bootstrap file with ``document``."""
    path = folder / "bootstrap.json"
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize(
    "document",
    [
        pytest.param([RECORD_A, RECORD_B], id="list"),
        pytest.param({"orchestrators": [RECORD_A, RECORD_B]}, id="as-registry.json"),
    ],
)
def test_records_are_registered(tmp_path: Path, clock: Clock, document: Any) -> None:
    registry = open_registry(tmp_path, clock)
    bootstrap(registry, wanted(tmp_path, document), clock)
    assert registry.records() == {
        "orch-a": record(host_public_ip=HOST_A),
        "orch-b": record("orch-b", host_public_ip=HOST_B),
    }
    assert open_registry(tmp_path, clock).records() == registry.records()


def test_record_that_is_there_is_left_alone(tmp_path: Path, clock: Clock) -> None:
    registry = open_registry(tmp_path, clock)
    changed, _ = registry.register({**RECORD_A, "enabled": False, "host_name": "changed.example"})
    clock.now_ms += 1000
    for _ in range(2):
        bootstrap(registry, wanted(tmp_path, [RECORD_A, RECORD_B]), clock)
    added = record("orch-b", host_public_ip=HOST_B, registered_at_ms=NOON_MS + 1000, updated_at_ms=NOON_MS + 1000)
    assert registry.records() == {"orch-a": changed, "orch-b": added}


def test_nothing_missing_leaves_the_file_alone(tmp_path: Path, clock: Clock) -> None:
    registry = open_registry(tmp_path, clock)
    registry.register(RECORD_A)
    before = registry_path(tmp_path).read_bytes()
    bootstrap(registry, wanted(tmp_path, [RECORD_A]), clock)
    assert registry_path(tmp_path).read_bytes() == before


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(b"{", "not JSON", id="not-json"),
        pytest.param(b"\xff", "not UTF-8", id="not-utf-8"),
        pytest.param(b"{}", "orchestrators", id="no-list"),
        pytest.param(b'[{"orchestrator_id": "orch-x", "adress": ""}]', "orch-x: adress", id="unknown-field"),
        pytest.param(b'[{"orchestrator_id": "orch-x", "enabled": 1}]', "orch-x: enabled", id="wrong-field"),
        pytest.param(
            b'[{"orchestrator_id": "orch-x", "host_public_ip": "203.0.113.10"}]',
            "belongs to orch-a",
            id="host-is-taken",
        ),
    ],
)
def test_bad_file_is_misconfigured_and_registers_nothing(
    tmp_path: Path, clock: Clock, content: bytes, complaint: str
) -> None:
    registry = open_registry(tmp_path, clock)
    registry.register(RECORD_A)
    path = wanted(tmp_path, None)
    path.write_bytes(content)
    with pytest.raises(Misconfigured, match=complaint) as caught:
        bootstrap(registry, path, clock)
    assert uncoded(caught.value).startswith(f"PAYMENTS_BOOTSTRAP_ORCHESTRATORS_PATH: {path}")
    assert list(registry.records()) == ["orch-a"]


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_file_that_cannot_be_read_is_misconfigured(tmp_path: Path, clock: Clock, name: str) -> None:
    with pytest.raises(Misconfigured, match=r"PAYMENTS_BOOTSTRAP_ORCHESTRATORS_PATH: .* cannot be read"):
        bootstrap(open_registry(tmp_path), tmp_path / name, clock)


def test_broken_registry_is_no_reason_not_to_start(tmp_path: Path, clock: Clock) -> None:
    """The last good records apply; bootstrap can wait until the file is fixed."""
    open_registry(tmp_path, clock).register(RECORD_A)
    edit_raw(tmp_path, b"{")
    registry = open_registry(tmp_path, clock)
    bootstrap(registry, wanted(tmp_path, [RECORD_A, RECORD_B]), clock)
    assert registry.attribution() == {HOST_A: "orch-a"}
    assert registry_path(tmp_path).read_bytes() == b"{"
