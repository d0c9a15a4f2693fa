"""``payments orchestrators`` changes exactly the given fields of records."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import done, records, refused, run, settle
from tests.harness import HOST_A, HOST_B, Answering, answering

ADDRESS = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder in the settings, and a folder without ``.env``."""
    return settle(tmp_path, monkeypatch)


def file_of(folder: Path, *said: dict[str, Any]) -> str:
    """A file with records of orchestrators."""
    path = folder.parent / "records.json"
    path.write_text(json.dumps(said))
    return str(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [("host_public_ip", HOST_A), ("address", ADDRESS), ("host_name", "h"), ("power_url", "http://h/power")],
)
def test_add_with_an_empty_value_takes_it_away(folder: Path, name: str, value: str) -> None:
    option = f"--{name.replace('_', '-')}"
    assert records("orchestrators", "add", "orch-a", option, value)[0][name] == value
    assert records("orchestrators", "add", "orch-a")[0][name] == value
    assert records("orchestrators", "add", "orch-a", option, "")[0][name] is None
    assert records("orchestrators", "show", "orch-a")[0][name] is None


def test_add_of_what_is_malformed_begins_nothing(folder: Path) -> None:
    result = run("orchestrators", "add", "orch-a", "--address", "0x1", "--power-url", "h")
    assert (result.exit_code, result.stdout) == (2, "")
    assert 'record orch-a: address: "0x1" is not an Ethereum address' in result.stderr
    assert 'record orch-a: power_url: "h" is not an http://' in result.stderr
    assert not folder.exists()


def test_orchestrators_are_imported_all_or_none(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "records.json"
    file.write_text(
        '[{"orchestrator_id":"a","host_public_ip":"10.0.0.1"},{"orchestrator_id":"b","host_public_ip":"x"}]'
    )
    assert 'record b: host_public_ip: "x" is not an IPv4 or IPv6 address' in refused(
        "orchestrators", "import", str(file)
    )
    assert not folder.exists()
    file.write_text(file.read_text().replace('"x"', '"10.0.0.2"'))
    first = records("orchestrators", "import", str(file))
    assert records("orchestrators", "import", str(file)) == first == records("orchestrators", "list")


def test_import_keeps_the_fields_that_do_not_stand_in_the_file(folder: Path, tmp_path: Path) -> None:
    done("orchestrators", "add", "orch-a", "--host-public-ip", HOST_A, "--address", ADDRESS, "--host-name", "h")
    done("orchestrators", "disable", "orch-a")
    before = records("orchestrators", "show", "orch-a")[0]
    file = tmp_path / "records.json"
    file.write_text('[{"orchestrator_id":"orch-a","power_url":"http://h/power","host_name":null}]')
    after = records("orchestrators", "import", str(file))[0]
    assert {**before, "power_url": "http://h/power", "host_name": None, "updated_at": after["updated_at"]} == after


def test_import_that_takes_a_host_from_another_registers_nothing(folder: Path) -> None:
    done("orchestrators", "add", "orch-a", "--host-public-ip", HOST_A)
    file = file_of(folder, {"orchestrator_id": "new"}, {"orchestrator_id": "orch-b", "host_public_ip": HOST_A})
    said = refused("orchestrators", "import", file)
    assert f"{file}: nothing is registered:\nrecord orch-b: host_public_ip {HOST_A} belongs to orch-a already\n" in said
    assert [each["orchestrator_id"] for each in records("orchestrators", "list")] == ["orch-a"]


def test_import_that_exchanges_hosts_says_why_not_and_how(folder: Path) -> None:
    for name, host in (("orch-a", HOST_A), ("orch-b", HOST_B)):
        done("orchestrators", "add", name, "--host-public-ip", host)
    before = records("orchestrators", "list")
    file = file_of(
        folder,
        {"orchestrator_id": "orch-a", "host_public_ip": HOST_B},
        {"orchestrator_id": "orch-b", "host_public_ip": HOST_A},
    )
    said = refused("orchestrators", "import", file)
    for name, other, host in (("orch-a", "orch-b", HOST_B), ("orch-b", "orch-a", HOST_A)):
        assert (
            f"record {name}: host_public_ip {host} belongs to {other} already, and records are registered in order"
            in said
        )
        assert f'first run payments orchestrators add {other} --host-public-ip ""' in said
    assert records("orchestrators", "list") == before


def test_import_hands_on_a_host_that_an_earlier_record_gives_up(folder: Path) -> None:
    done("orchestrators", "add", "orch-a", "--host-public-ip", HOST_A)
    file = file_of(
        folder,
        {"orchestrator_id": "orch-a", "host_public_ip": None},
        {"orchestrator_id": "orch-b", "host_public_ip": HOST_A},
        {"orchestrator_id": "orch-c", "host_public_ip": None},
    )
    assert [each["host_public_ip"] for each in records("orchestrators", "import", file)] == [None, HOST_A, None]


class _Quicker(Answering):
    """Another client takes the host of ``orch-b`` between two calls."""

    def do_GET(self) -> None:  # noqa: N802
        self.answer(200, {"orchestrators": []})

    def do_POST(self) -> None:  # noqa: N802
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        taken = said["orchestrator_id"] == "orch-b"
        self.answer(409 if taken else 201, {"detail": "it is taken"} if taken else said)


def test_import_that_fails_half_way_says_how_far_it_came(folder: Path) -> None:
    file = file_of(folder, *({"orchestrator_id": f"orch-{each}"} for each in "abcd"))
    with answering(_Quicker) as url:
        said = refused("--api-url", url, "orchestrators", "import", file)
    assert f"{file}: record orch-b: it is taken\n" in said
    assert "Registered before it: orch-a; not registered after it: orch-c, orch-d." in said
