"""Registering and changing records, and attributing hosts by them."""

from pathlib import Path

import pytest

from payments.domain.addresses import canonical_ip
from payments.errors import Rejected
from payments.registry import RecordSchema
from tests.harness import HOST_A, HOST_B, NOON_MS, Clock
from tests.registry.helpers import RECORD_A, RECORD_B, open_registry, record, registry_path


def test_registering_creates_then_refreshes(tmp_path: Path, clock: Clock) -> None:
    registry = open_registry(tmp_path, clock)
    created = record(host_public_ip=HOST_A, registered_at_ms=NOON_MS, updated_at_ms=NOON_MS)
    assert registry.register(RECORD_A) == (created, True)

    clock.now_ms += 1000
    refreshed = created._replace(host_name="host.example", updated_at_ms=NOON_MS + 1000)
    assert registry.register({"orchestrator_id": "orch-a", "host_name": "host.example"}) == (refreshed, False)
    assert registry.records() == {"orch-a": refreshed}


def test_registering_the_same_again_changes_nothing(tmp_path: Path, clock: Clock) -> None:
    registry = open_registry(tmp_path, clock)
    before, _ = registry.register(RECORD_A)
    content = registry_path(tmp_path).read_bytes()
    clock.now_ms += 1000
    assert registry.register(RECORD_A) == (before, False)
    assert registry_path(tmp_path).read_bytes() == content


def test_change_keeps_what_it_does_not_name_and_can_clear_fields(tmp_path: Path, clock: Clock) -> None:
    registry = open_registry(tmp_path, clock)
    registry.register({**RECORD_A, "host_name": "host.example"})
    clock.now_ms += 1000
    changed = registry.change("orch-a", {"host_public_ip": None})
    assert changed == record(host_name="host.example", updated_at_ms=NOON_MS + 1000)


def test_changing_a_record_that_is_not_there_is_refused(tmp_path: Path) -> None:
    registry = open_registry(tmp_path)
    with pytest.raises(Rejected, match="orch-x") as caught:
        registry.change("orch-x", {"enabled": False})
    assert caught.value.kind == "not-found"
    assert not registry_path(tmp_path).exists()


def test_one_host_belongs_to_one_orchestrator(tmp_path: Path) -> None:
    registry = open_registry(tmp_path)
    registry.register(RECORD_A)
    registry.register(RECORD_B)
    before = dict(registry.records())
    for take_the_host_of_a in (
        lambda: registry.register({"orchestrator_id": "orch-c", "host_public_ip": HOST_A}),
        lambda: registry.register({"orchestrator_id": "orch-b", "host_public_ip": HOST_A}),
        lambda: registry.change("orch-b", {"host_public_ip": HOST_A}),
    ):
        with pytest.raises(Rejected, match="belongs to orch-a") as caught:
            take_the_host_of_a()
        assert caught.value.kind == "conflict"
        assert list(caught.value.fields) == ["host_public_ip"]
    assert registry.records() == before


def test_a_disabled_record_still_keeps_its_host(tmp_path: Path) -> None:
    registry = open_registry(tmp_path)
    registry.register({**RECORD_A, "enabled": False})
    with pytest.raises(Rejected, match="belongs to orch-a"):
        registry.register({"orchestrator_id": "orch-b", "host_public_ip": HOST_A})


def test_a_host_that_was_given_up_can_be_taken(tmp_path: Path) -> None:
    registry = open_registry(tmp_path)
    registry.register(RECORD_A)
    registry.change("orch-a", {"host_public_ip": HOST_B})
    registry.register({"orchestrator_id": "orch-c", "host_public_ip": HOST_A})
    assert registry.attribution() == {HOST_B: "orch-a", HOST_A: "orch-c"}


@pytest.mark.parametrize(
    ("spelled", "also"),
    [
        pytest.param("::ffff:203.0.113.10", "203.0.113.10", id="mapped"),
        pytest.param("::FFFF:cb00:710a", "203.0.113.10", id="mapped-in-hex"),
        pytest.param("2001:DB8:0:0::1", "2001:db8::1", id="ipv6"),
    ],
)
def test_equal_addresses_are_one_host_however_spelled(tmp_path: Path, spelled: str, also: str) -> None:
    registry = open_registry(tmp_path)
    registry.register(RecordSchema().load({"orchestrator_id": "orch-a", "host_public_ip": spelled}))
    assert registry.attribution() == {canonical_ip(also): "orch-a"}
    with pytest.raises(Rejected, match="belongs to orch-a"):
        registry.register(RecordSchema().load({"orchestrator_id": "orch-b", "host_public_ip": also}))


def test_attribution_is_of_enabled_records_with_a_host(tmp_path: Path) -> None:
    registry = open_registry(tmp_path)
    registry.register(RECORD_A)
    registry.register({**RECORD_B, "enabled": False})
    registry.register({"orchestrator_id": "orch-c"})
    assert registry.attribution() == {HOST_A: "orch-a"}
    registry.change("orch-b", {"enabled": True})
    registry.change("orch-a", {"enabled": False})
    assert registry.attribution() == {HOST_B: "orch-b"}


def test_attribution_is_one_dictionary_until_the_records_change(tmp_path: Path) -> None:
    """An event costs one look-up; nothing is built or scanned for it."""
    registry = open_registry(tmp_path)
    registry.register(RECORD_A)
    attribution = registry.attribution()
    assert type(attribution) is dict
    assert registry.attribution() is attribution


def test_records_keep_the_order_of_their_registration(tmp_path: Path) -> None:
    registry = open_registry(tmp_path)
    for name in ("orch-z", "orch-a", "orch-m"):
        registry.register({"orchestrator_id": name})
    registry.change("orch-z", {"enabled": False})
    assert list(registry.records()) == ["orch-z", "orch-a", "orch-m"]
    assert list(open_registry(tmp_path).records()) == ["orch-z", "orch-a", "orch-m"]


def test_files_are_the_owners_only(tmp_path: Path) -> None:
    open_registry(tmp_path / "data").register(RECORD_A)
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in (tmp_path / "data").iterdir()}
    assert modes["registry.json"] == modes["registry.json.good"] == "0o600"
    assert oct((tmp_path / "data").stat().st_mode & 0o777) == "0o700"
