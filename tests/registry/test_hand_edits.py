"""An operator edits ``registry.json``: valid edits take effect, broken ones do no harm."""

import json
import logging
from pathlib import Path

import pytest

from payments.errors import Corrupt, Misconfigured, Unavailable
from payments.registry import Registry
from tests.harness import HOST_A, HOST_B, NOON_MS, Clock
from tests.registry.helpers import RECORD_A, RECORD_B, edit, edit_raw, open_registry, record, registry_path, timeless


def _document(*records: object) -> bytes:
    return json.dumps({"orchestrators": records}).encode()


BROKEN = {
    "empty": b"",
    "cut-short": _document(RECORD_A, RECORD_B)[:-10],
    "no-object": b'"orchestrators"',
    "no-list": b'{"orchestrators": {"orch-a": {}}}',
    "misspelt-list": b'{"orchestrator": []}',
    "no-record": _document(RECORD_A, "orch-b"),
    "no-id": _document({"host_public_ip": HOST_B}),
    "wrong-field": _document({**RECORD_A, "host_public_ip": "host.example"}),
    "misspelt-field": _document({**RECORD_A, "enable": False}),
    "wrong-time": _document({**RECORD_A, "registered_at": "yesterday"}),
    "bad-checksum": _document({**RECORD_A, "address": "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"}),
    "one-id-twice": _document(RECORD_A, {"orchestrator_id": "orch-a"}),
    "one-host-twice": _document(RECORD_A, {**RECORD_B, "host_public_ip": "::ffff:203.0.113.10"}),
    "one-name-twice": b'{"orchestrators": [{"orchestrator_id": "orch-a", "enabled": true, "enabled": false}]}',
    "list-twice": b'{"orchestrators": [{"orchestrator_id": "orch-a"}], "orchestrators": []}',
    "nan": b'{"orchestrators": [{"orchestrator_id": "orch-a", "enabled": NaN}]}',
    "nan-beside-the-list": b'{"orchestrators": [], "note": NaN}',
    "nested-lists": b"[" * 100_000,
    "nested-objects": b'{"orchestrators":' * 50_000,
    "long-number": b'{"orchestrators": [{"orchestrator_id": ' + b"1" * 5000 + b"}]}",
    "not-utf-8": b'{"orchestrators": [{"orchestrator_id": "orch-a", "host_name": "\xe9"}]}',
    "utf-16": _document(RECORD_A).decode().encode("utf-16"),
    "lone-surrogate": b'{"orchestrators": [{"orchestrator_id": "orch-a", "\\ud800": 1}]}',
}


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry that has read the record of ``orch-a``."""
    edit(tmp_path, RECORD_A)
    return open_registry(tmp_path)


@pytest.fixture(params=[pytest.param(data, id=name) for name, data in BROKEN.items()])
def broken(request: pytest.FixtureRequest) -> bytes:
    """Contents of the file after a broken edit."""
    assert isinstance(request.param, bytes)
    return request.param


def test_sound_edit_takes_effect_at_once(registry: Registry, tmp_path: Path) -> None:
    edit(tmp_path, {**RECORD_A, "enabled": False}, {**RECORD_B, "host_name": "host.example"})
    assert timeless(registry) == {
        "orch-a": record(host_public_ip=HOST_A, enabled=False),
        "orch-b": record("orch-b", host_public_ip=HOST_B, host_name="host.example"),
    }
    assert registry.attribution() == {HOST_B: "orch-b"}


def test_edit_that_replaces_the_file_takes_effect_too(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(_document(RECORD_B))
    (tmp_path / "new").replace(registry_path(tmp_path))
    assert registry.attribution() == {HOST_B: "orch-b"}


def test_edit_may_be_a_bare_list_with_a_byte_order_mark(registry: Registry, tmp_path: Path) -> None:
    edit_raw(tmp_path, b"\xef\xbb\xbf" + json.dumps([RECORD_B]).encode())
    assert registry.attribution() == {HOST_B: "orch-b"}
    assert registry.problem is None


def test_address_in_small_letters_is_in_force_checksummed(registry: Registry, tmp_path: Path) -> None:
    edit(tmp_path, {**RECORD_A, "address": "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"})
    assert registry.records()["orch-a"].address == "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


def test_registering_keeps_what_was_edited(registry: Registry, tmp_path: Path, clock: Clock) -> None:
    edit(tmp_path, {**RECORD_A, "host_name": "by-hand.example", "registered_at": "2026-01-31T12:00:00Z"})
    registry.register(RECORD_B)
    kept = json.loads(registry_path(tmp_path).read_bytes())["orchestrators"]
    assert [(each["orchestrator_id"], each["host_name"]) for each in kept] == [
        ("orch-a", "by-hand.example"),
        ("orch-b", None),
    ]
    assert kept[0]["registered_at"] == "2026-01-31T12:00:00.000Z"


def test_broken_edit_keeps_the_last_good_records_in_force(registry: Registry, tmp_path: Path, broken: bytes) -> None:
    edit_raw(tmp_path, broken)
    assert timeless(registry) == {"orch-a": record(host_public_ip=HOST_A)}
    assert registry.attribution() == {HOST_A: "orch-a"}
    assert registry.problem is not None
    assert str(registry_path(tmp_path)) in registry.problem


def test_broken_edit_is_never_overwritten(registry: Registry, tmp_path: Path, broken: bytes) -> None:
    edit_raw(tmp_path, broken)
    with pytest.raises(Unavailable, match="fix the file"):
        registry.register(RECORD_B)
    with pytest.raises(Unavailable, match="fix the file"):
        registry.change("orch-a", {"enabled": False})
    assert registry_path(tmp_path).read_bytes() == broken


def test_broken_edit_survives_a_restart(registry: Registry, tmp_path: Path, broken: bytes) -> None:
    edit_raw(tmp_path, broken)
    restarted = open_registry(tmp_path)
    assert restarted.attribution() == registry.attribution() == {HOST_A: "orch-a"}
    assert restarted.problem == registry.problem
    assert registry_path(tmp_path).read_bytes() == broken
    with pytest.raises(Unavailable, match="fix the file"):
        restarted.register(RECORD_B)


def test_fixed_edit_takes_effect(registry: Registry, tmp_path: Path, broken: bytes) -> None:
    edit_raw(tmp_path, broken)
    assert registry.records()
    edit(tmp_path, RECORD_B)
    assert registry.attribution() == {HOST_B: "orch-b"}
    assert registry.problem is None
    registry.register(RECORD_A)
    assert open_registry(tmp_path).attribution() == {HOST_A: "orch-a", HOST_B: "orch-b"}


def test_problem_can_be_written_in_json_and_in_a_log(registry: Registry, tmp_path: Path, broken: bytes) -> None:
    edit_raw(tmp_path, broken)
    registry.records()
    assert registry.problem is not None
    assert registry.problem.encode().decode() == registry.problem


def test_every_mistake_of_an_edit_is_named_at_once(registry: Registry, tmp_path: Path) -> None:
    edit(tmp_path, {"orchestrator_id": "orch-x", "enabled": 1, "adress": ""}, {"host_name": ""}, RECORD_A, RECORD_A)
    registry.records()
    problem = str(registry.problem)
    named = ["record orch-x: adress", "record orch-x: enabled", "number 2: host_name", "number 2: orchestrator_id"]
    assert [name for name in [*named, "record orch-a: there are two"] if name not in problem] == []


def test_missing_file_keeps_the_last_good_records(registry: Registry, tmp_path: Path) -> None:
    registry_path(tmp_path).unlink()
    for each in (registry, open_registry(tmp_path)):
        assert each.attribution() == {HOST_A: "orch-a"}
        assert each.problem is not None
        with pytest.raises(Unavailable, match="fix the file"):
            each.register(RECORD_B)
    assert not registry_path(tmp_path).exists()


def test_missing_file_that_comes_back_takes_effect(tmp_path: Path, registry: Registry) -> None:
    registry_path(tmp_path).unlink()
    restarted = open_registry(tmp_path)
    edit(tmp_path, RECORD_B)
    assert restarted.attribution() == {HOST_B: "orch-b"}
    assert restarted.problem is None


def test_file_written_into_an_empty_folder_takes_effect(tmp_path: Path) -> None:
    registry = open_registry(tmp_path)
    assert registry.records() == {}
    assert registry.problem is None
    edit(tmp_path, RECORD_A)
    assert registry.attribution() == {HOST_A: "orch-a"}


def test_broken_file_without_a_good_copy_refuses_to_start(tmp_path: Path, broken: bytes) -> None:
    edit_raw(tmp_path, broken)
    with pytest.raises(Corrupt, match="fix the file, or restore it") as caught:
        open_registry(tmp_path)
    assert str(registry_path(tmp_path)) in str(caught.value)


def test_broken_good_copy_does_not_matter_while_the_file_is_sound(tmp_path: Path, registry: Registry) -> None:
    good = registry_path(tmp_path).with_name("registry.json.good")
    good.write_bytes(b"{")
    assert open_registry(tmp_path).attribution() == {HOST_A: "orch-a"}
    assert json.loads(good.read_bytes()) == {"orchestrators": [RECORD_A]}


def test_folder_that_is_a_file_is_misconfigured(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(Misconfigured, match="PAYMENTS_REGISTRY_PATH"):
        open_registry(tmp_path / "data")


def test_broken_edit_is_logged_once_and_so_is_its_fix(
    registry: Registry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    edit_raw(tmp_path, b"{")
    for _ in range(3):
        registry.records()
    edit(tmp_path, RECORD_B)
    for _ in range(3):
        registry.records()
    said = [(each.levelname, "last good" in each.message, "sound again" in each.message) for each in caplog.records]
    assert said == [("ERROR", True, False), ("INFO", False, True)]


def test_a_record_without_times_has_the_same_ones_whoever_reads_it(tmp_path: Path) -> None:
    """Workers read the edit at different moments; the answer must not show which worker gave it."""
    edit(tmp_path, RECORD_A)
    first, second = open_registry(tmp_path, Clock(NOON_MS)), open_registry(tmp_path, Clock(NOON_MS + 60_000))
    assert first.records() == second.records()
