"""The API's description: every route, method, status and field of the API is in it, and nothing else."""

import json
import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema
from openapi_spec_validator import validate

from payments.domain.ledger import Adjustment, Payout
from payments.domain.readings import AWAKE, Reading
from payments.domain.records import entry_record, power_record
from payments.domain.retention import CloseStale, PurgeEnded
from payments.errors import Rejected
from payments.events import EventSchema
from payments.fields import PRINTABLE, Strict
from payments.registry import RecordSchema
from payments.settings import Settings
from payments.store import EntryQuery
from payments.web import create_app, schemas
from payments.web.openapi.calls import CALLS
from payments.web.openapi.document import document
from payments.web.problems import KINDS
from payments.web.routes import openapi_path
from payments.web.services import close_store
from tests.harness import HOST_A, NOON_MS, TERMS, Clock, campaign, event, memory_store, state_of
from tests.web.api import Api
from tests.web.helpers import BATCH, an_event, post_admin, post_event, send

SCHEMAS: Mapping[str, Any] = document()["components"]["schemas"]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAYMENTS_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        made = create_app(Settings.load(Path("/nonexistent")))
    yield made
    close_store(made)


def members(name: str) -> set[str]:
    return set(SCHEMAS[name]["properties"])


def required(name: str) -> set[str]:
    return set(SCHEMAS[name]["required"])


def test_document_is_openapi_3_1() -> None:
    validate(document())
    assert document()["openapi"] == "3.1.0"


def test_every_reference_leads_somewhere() -> None:
    for place in set(re.findall(r'"#/components/(\w+/[\w-]+)"', json.dumps(document()))):
        group, name = place.split("/")
        assert name in document()["components"][group]


def test_every_route_and_method_is_described(app: Flask) -> None:
    routes = {(method, openapi_path(rule.rule)) for rule in app.url_map.iter_rules() for method in rule.methods or ()}
    described = {(method.upper(), path) for path, methods in document()["paths"].items() for method in methods}
    assert described == {(method, path) for method, path in routes if method not in ("HEAD", "OPTIONS")}
    assert len(described) == len(CALLS)


def test_every_kind_of_problem_is_described() -> None:
    assert {name: each["description"] for name, each in document()["components"]["responses"].items()} == {
        name: f"{kind.title}." for name, kind in KINDS.items()
    }
    for call in CALLS:
        answers = document()["paths"][openapi_path(call.path)][call.method.lower()]["responses"]
        given = {status: each["$ref"].rsplit("/", 1)[1] for status, each in answers.items() if "$ref" in each}
        assert given == {str(KINDS[name].status): name for name in call.kinds}
    shown = {f"urn:payments:problem:{name}" for name in KINDS}
    assert set(SCHEMAS["Problem"]["properties"]["type"]["enum"]) == shown
    # 405 is the answer to a method that is not described.
    answered = {kind for call in CALLS for kind in call.kinds}
    assert set(KINDS) - answered == {"method-not-allowed"}


def test_every_field_of_a_request_is_described_as_its_schema_reads_it() -> None:
    described = {
        name: {field: kept(shape) for field, shape in SCHEMAS[name]["properties"].items()}
        for name in ("Event", "Record", "Change", "Adjustment", "Payout")
    }
    for name, schema in {
        "Event": EventSchema, "Record": RecordSchema, "Change": schemas.ChangeSchema,
        "Adjustment": schemas.AdjustmentSchema, "Payout": schemas.PayoutSchema,
    }.items():  # fmt: skip
        assert described[name] == shapes(schema)
        needed = [field for field, each in schema().load_fields.items() if each.required]
        assert sorted(SCHEMAS[name].get("required", [])) == sorted(needed)


def kept(shape: Mapping[str, Any]) -> Any:
    """Without what apispec adds of the field's options."""
    words = shape["type"] if isinstance(shape["type"], list) else [shape["type"]]
    rest = {name: value for name, value in shape.items() if name not in ("type", "default", "description")}
    return rest, [word for word in words if word != "null"], "null" in words


def shapes(schema: type[Schema]) -> dict[str, Any]:
    found = {}
    for name, field in schema().load_fields.items():
        assert isinstance(field, Strict)
        shape = dict(field.shape())
        if name == "power_url":
            shape["maxLength"] = 2000
        found[name] = ({key: shape[key] for key in shape if key != "type"}, [shape["type"]], field.allow_none)
    return found


def test_every_parameter_of_a_query_is_described() -> None:
    for call in CALLS:
        operation = document()["paths"][openapi_path(call.path)][call.method.lower()]
        assert all(each.get("description") for each in operation["parameters"])
        named = {each["name"] for each in operation["parameters"] if each["in"] == "query"}
        assert named == set(call.query().load_fields if call.query else ())


printable = re.compile(PRINTABLE)


def test_printable_is_exact_in_latin_1_and_refuses_nothing_that_is_taken() -> None:
    characters = [chr(code) for code in range(0x110000)]
    taken = {each for each in characters if printable.fullmatch(each)}
    assert [each for each in characters if each.isprintable() and each not in taken] == []
    assert [each for each in characters[:256] if not each.isprintable() and each in taken] == []


AMOUNTS = st.from_regex(r"-?[0-9]{0,31}\.?[0-9]{0,19}", fullmatch=True) | st.sampled_from(["0", "0.0", "-0", "1e3", ""])


@campaign(300)
@given(AMOUNTS)
def test_amount_is_described_to_the_digit(text: str) -> None:
    for schema, field in ((schemas.AdjustmentSchema, "Adjustment"), (schemas.PayoutSchema, "Payout")):
        pattern = SCHEMAS[field]["properties"]["amount"]["pattern"]
        is_taken = "amount" not in schema().validate({"amount": text})
        assert bool(re.search(pattern, text)) == is_taken, text


def test_session_answers_have_the_members_described(api: Api) -> None:
    answer = post_event(api, an_event("s-1")).json()
    assert set(answer) == members("SessionWithOutcome") == required("SessionWithOutcome")
    [listed, *_] = api.get("/api/sessions")["sessions"]
    assert set(listed) == members("Session") == required("Session")
    shown = api.get("/api/sessions/s-1")
    assert set(shown) == members("SessionWithAccount") == required("SessionWithAccount")
    assert set(shown["account"]) == set(SCHEMAS["SessionWithAccount"]["properties"]["account"]["properties"])
    good, bad = post_event(api, [an_event("s-2"), {}], BATCH).json()["results"]
    assert set(good) == members("BatchResult") == required("BatchResult")
    assert set(bad) == members("BatchRefusal") == required("BatchRefusal")
    assert set(bad["problem"]) == members("ItemProblem")


def test_other_answers_have_the_members_described(api: Api) -> None:
    record = api.register("orch-a", HOST_A)
    assert set(record) == members("Orchestrator") == required("Orchestrator")
    booked = post_admin(
        api, "POST", "/api/ledger/adjustments",
        {"orchestrator_id": "orch-a", "amount": "1", "reference": "r-1", "note": "because"},
    ).json()  # fmt: skip
    assert set(booked) == members("Booking") == required("Booking")
    [balance] = api.get("/api/ledger/balances")["balances"]
    assert set(balance) == members("Balance") == required("Balance")
    stats = api.get("/api/orchestrators/orch-a/stats")
    assert set(stats) == members("Stats") == required("Stats")
    assert set(stats["stats"][0]) == set(SCHEMAS["Stats"]["properties"]["stats"]["items"]["properties"])
    ready = api.get("/readyz")
    assert set(ready) == members("Ready") == required("Ready")
    for part in ("store", "registry", "worker"):
        assert set(ready[part]) == set(SCHEMAS["Ready"]["properties"][part]["properties"])
    problem = send(api, "GET", "/api/sessions?limit=x", token=api.VIEWER).json()
    assert set(problem) == members("Problem")


def test_every_entry_has_the_members_described() -> None:
    clock = Clock()
    store = memory_store(TERMS._replace(power_rate_wei_per_minute=10**15), clock)
    stray: dict[str, Any] = {"upstream_addr": "9.9.9.9"}
    store.execute([event("s-1", "start"), event("s-2", "start", **stray), Reading("orch-a", AWAKE, NOON_MS)])
    clock.now_ms += 60_000
    later: list[Any] = [
        event("s-1", "heartbeat", clock.now_ms), event("s-2", "end", clock.now_ms, **stray),
        Reading("orch-a", AWAKE, clock.now_ms), Reading("orch-b", "unknown", clock.now_ms, "no answer in time"),
        Adjustment("orch-a", -1, "r-1", "because"), Payout("orch-a", 1, f"0x{'0' * 64}"),
        CloseStale("s-1", clock.now_ms), PurgeEnded("s-2", clock.now_ms),
    ]  # fmt: skip
    assert [result for result in store.execute(later) if isinstance(result, Rejected)] == []
    entries = [entry_record(entry) for entry in store.entries(EntryQuery()).items]
    described = SCHEMAS["Entry"]["properties"]
    assert {entry["reason"] for entry in entries} >= {"session_reaped", "session_forgotten", "power_time", "payout"}
    assert {key for entry in entries for key in entry} == set(described)
    metadata = [each for entry in entries if isinstance(each := entry["metadata"], dict)]
    assert {key for each in metadata for key in each} == set(described["metadata"]["properties"])
    assert {entry["reason"] for entry in entries} <= set(described["reason"]["enum"])
    assert {entry["event"] for entry in entries} == set(described["event"]["enum"])
    [power, _] = state_of(store).power.values()
    assert {*power_record(power), "is_fresh"} == members("Power") == required("Power")


def test_members_are_described_as_the_docstring_of_their_record_has_it() -> None:
    about = SCHEMAS["Session"]["properties"]["orchestrator_id"]["description"]
    assert about == "Who earns from `last_billed_at` on; `null`: no orchestrator had the address then."
    about = SCHEMAS["Power"]["properties"]["billed_eth"]["description"]
    assert about == "What power has earned. In ETH, exact."


def test_openapi_json_is_the_document(api: Api) -> None:
    assert api.get("/openapi.json") == document()


class _Page(HTMLParser):
    """What a page links to, and what text it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.hosts: list[str] = []
        self.targets: set[str] = set()
        self.ids: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given["id"]} if "id" in given else set()
        for name in ("href", "src", "action"):
            if given.get(name, "").startswith("#"):
                self.targets.add(given[name][1:])
            elif name in given:
                self.hosts.append(given[name])

    def handle_data(self, data: str) -> None:
        self.text += data


def test_page_shows_every_call_and_schema_and_needs_nothing_else(api: Api) -> None:
    answer = send(api, "GET", "/docs", token=api.VIEWER)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    page = _Page(answer.body.decode())
    assert page.hosts == []
    assert page.targets <= page.ids
    assert set(SCHEMAS) <= page.ids
    for call in CALLS:
        assert f"{call.method}{openapi_path(call.path)}" in page.text.replace(" ", "")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_browser_without_a_token_gets_a_form_and_nothing_of_the_page(api: Api) -> None:
    answer = send(api, "GET", "/docs", accept="text/html,*/*;q=0.8")
    assert (answer.status, answer.headers["content-type"]) == (401, "text/html; charset=utf-8")
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert b"<form" in answer.body
    assert b"/api/" not in answer.body
    assert _Page(answer.body.decode()).hosts == []
