"""Orchestrator records over HTTP."""

from typing import Any

import pytest

from tests.harness import Service, WebResponse
from tests.web.api import Api
from tests.web.helpers import REGISTER, check_problem, post_admin, send, wrong_fields

ADDRESS = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


def register(server: Service, **fields: Any) -> WebResponse:
    return post_admin(server, "POST", REGISTER, fields)


def change(server: Service, name: str, /, **fields: Any) -> WebResponse:
    return post_admin(server, "PATCH", f"/api/orchestrators/{name}", fields)


def test_registering_creates_with_201_and_refreshes_with_200(api: Api) -> None:
    created = register(
        api, orchestrator_id="orch-full", address=ADDRESS.lower(), host_public_ip="::ffff:192.0.2.1",
        host_name="host.example", power_url="http://host.example:9090/power", enabled=False,
    )  # fmt: skip
    record = created.json()
    assert created.status == 201
    assert record == {
        "orchestrator_id": "orch-full",
        "address": ADDRESS,
        "host_public_ip": "192.0.2.1",
        "host_name": "host.example",
        "power_url": "http://host.example:9090/power",
        "enabled": False,
        "registered_at": record["registered_at"],
        "updated_at": record["registered_at"],
    }
    refreshed = register(api, orchestrator_id="orch-full", enabled=True)
    assert refreshed.status == 200
    assert refreshed.json() == {**record, "enabled": True, "updated_at": refreshed.json()["updated_at"]}
    assert refreshed.json()["updated_at"] >= record["registered_at"]
    assert api.get("/api/orchestrators/orch-full") == refreshed.json()


def test_least_record_is_an_id(api: Api) -> None:
    record = register(api, orchestrator_id="orch-least").json()
    assert record == {
        "orchestrator_id": "orch-least",
        "address": None,
        "host_public_ip": None,
        "host_name": None,
        "power_url": None,
        "enabled": True,
        "registered_at": record["registered_at"],
        "updated_at": record["registered_at"],
    }


def test_patch_changes_what_it_names_and_null_clears(api: Api) -> None:
    before = register(api, orchestrator_id="orch-patch", host_public_ip="192.0.2.2", host_name="h").json()
    answer = change(api, "orch-patch", host_public_ip=None, enabled=False)
    assert answer.status == 200
    changed = {**before, "host_public_ip": None, "enabled": False, "updated_at": answer.json()["updated_at"]}
    assert answer.json() == changed
    assert change(api, "orch-patch").json() == changed
    assert api.get("/api/orchestrators/orch-patch") == changed


def test_list_has_every_record_in_the_order_of_registration(api: Api) -> None:
    names = ["orch-z", "orch-m", "orch-n"]
    records = [register(api, orchestrator_id=name).json() for name in names]
    listed = api.get("/api/orchestrators")
    assert set(listed) == {"orchestrators"}
    assert [record for record in listed["orchestrators"] if record["orchestrator_id"] in names] == records


def test_host_of_another_is_a_conflict(api: Api) -> None:
    register(api, orchestrator_id="orch-owner", host_public_ip="192.0.2.3")
    register(api, orchestrator_id="orch-other", host_public_ip="192.0.2.4")
    for answer in (
        register(api, orchestrator_id="orch-new", host_public_ip="::ffff:192.0.2.3"),
        register(api, orchestrator_id="orch-other", host_public_ip="192.0.2.3"),
        change(api, "orch-other", host_public_ip="192.0.2.3"),
    ):
        assert answer.status == 409
        assert wrong_fields(answer) == ["host_public_ip"]
        assert "orch-owner" in answer.json()["detail"]
    assert api.get("/api/orchestrators/orch-other")["host_public_ip"] == "192.0.2.4"
    check_problem(send(api, "GET", "/api/orchestrators/orch-new", token=api.VIEWER), "not-found")


def test_wrong_checksum_is_refused_naming_the_field_and_what_would_pass(api: Api) -> None:
    answer = register(api, orchestrator_id="orch-typo", address=ADDRESS.replace("aAeb", "AAeb"))
    assert wrong_fields(answer) == ["address"]
    assert ADDRESS in answer.json()["errors"][0]["detail"]


@pytest.mark.parametrize("field", ["orchestrator_id", "registered_at", "updated_at", "adress", "", "\u00e9", "_schema"])
def test_patch_refuses_what_is_not_to_be_changed(api: Api, field: str) -> None:
    register(api, orchestrator_id="orch-strict")
    assert wrong_fields(change(api, "orch-strict", **{field: "orch-strict"})) == [
        "body" if field == "_schema" else field
    ]


def test_unknown_orchestrators_are_not_found(api: Api) -> None:
    for path in ("nobody", "%00", "%ff", "ORCH-A", "%C3%A9"):
        answer = send(api, "GET", f"/api/orchestrators/{path}", token=api.VIEWER)
        check_problem(answer, "not-found")
        check_problem(change(api, path, enabled=True), "not-found")


@pytest.mark.parametrize("name", ["register", "Orch_1.eu:2@host+3-4", "...", "0"])
def test_record_is_found_by_its_id_however_awkward(api: Api, name: str) -> None:
    record = register(api, orchestrator_id=name).json()
    assert api.get(f"/api/orchestrators/{name}") == record
    assert change(api, name, host_name="h").json()["host_name"] == "h"
