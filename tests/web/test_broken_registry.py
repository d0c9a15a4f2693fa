"""A broken ``registry.json`` under a running API: events go on, changes wait, ``/readyz`` says so."""

import json
from collections.abc import Iterator

import pytest

from tests.harness import HOST_A, HOST_B
from tests.web.api import Api
from tests.web.helpers import ORCHESTRATOR, REGISTER, an_event, check_problem, post_admin, post_event, send

BROKEN = {
    "cut-short": b'{"orchestrators": [',
    "nested": b"[" * 100_000,
    "not-utf-8": b"\xff",
    "lone-surrogate": b'[{"orchestrator_id": "\\ud800"}]',
    "lone-surrogate-for-a-name": b'[{"orchestrator_id": "orch-a", "\\ud800": 1}]',
    "missing": None,
}


@pytest.fixture(params=BROKEN)
def broken(request: pytest.FixtureRequest, api: Api) -> Iterator[Api]:
    """The API with ``orch-a`` registered and its file broken; mended afterwards."""
    file = api.data / "registry.json"
    api.register("orch-a", HOST_A)
    sound = file.read_bytes()
    data = BROKEN[request.param]
    if data is None:
        file.unlink()
    else:
        file.write_bytes(data)
    yield api
    file.write_bytes(sound)


def test_readyz_says_degraded_and_what_is_wrong(broken: Api) -> None:
    answer = send(broken, "GET", "/readyz")
    ready = answer.json()
    assert (answer.status, ready["status"], ready["registry"]["orchestrators"]) == (200, "degraded", 1)
    assert str(broken.data / "registry.json") in ready["registry"]["problem"]


def test_sessions_are_attributed_by_the_last_good_records(broken: Api, request: pytest.FixtureRequest) -> None:
    answer = post_event(broken, an_event(request.node.name))
    assert answer.json()["orchestrator_id"] == "orch-a"
    assert broken.get("/api/orchestrators/orch-a")["host_public_ip"] == HOST_A
    assert [each["orchestrator_id"] for each in broken.get("/api/orchestrators")["orchestrators"]] == ["orch-a"]


def test_changes_wait_until_the_file_is_mended(broken: Api) -> None:
    for answer in (
        post_admin(broken, "POST", REGISTER, {"orchestrator_id": "orch-b"}),
        post_admin(broken, "PATCH", ORCHESTRATOR, {"enabled": False}),
    ):
        problem = check_problem(answer, "unavailable")
        assert "fix the file" in problem["detail"]


def test_edit_that_mends_the_file_is_in_force_at_once(api: Api) -> None:
    file = api.data / "registry.json"
    file.write_bytes(b"{")
    assert send(api, "GET", "/readyz").json()["status"] == "degraded"
    records = [{"orchestrator_id": "orch-a", "host_public_ip": HOST_A}, {"orchestrator_id": "orch-b"}]
    file.write_text(json.dumps({"orchestrators": [*records, {"orchestrator_id": "orch-c", "host_public_ip": HOST_B}]}))
    assert send(api, "GET", "/readyz").json()["status"] == "ok"
    assert post_event(api, an_event("by-hand", upstream_addr=HOST_B)).json()["orchestrator_id"] == "orch-c"
    assert post_admin(api, "PATCH", "/api/orchestrators/orch-b", {"enabled": False}).status == 200
