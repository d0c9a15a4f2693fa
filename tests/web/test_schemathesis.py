"""Requests made up from the API's own description, sound ones and others, and answers held against it."""

from copy import deepcopy
from io import BytesIO
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from requests.adapters import BaseAdapter
from schemathesis import Case, GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import allow_header_conformance, ignored_auth, positive_data_acceptance
from urllib3 import HTTPResponse

from payments.web.openapi.document import document
from tests.harness import campaign
from tests.web.api import Api
from tests.web.helpers import EVENTS

load_all_checks()

ELSEWHERE = [ignored_auth, allow_header_conformance, positive_data_acceptance]
"""Checks that are made better: ``test_tokens`` knows that one right token of two is enough, ``test_routing`` that a
session may be called "events"; the last one is made below."""

fuzz = campaign(20, suppress_health_check=list(HealthCheck))

BEYOND_A_SCHEMA = {
    "upstream_addr", "address", "power_url", "host_public_ip", "occurred_at", "since", "until", "upstream_port", "seq",
    "cursor",
}  # fmt: skip
"""Fields with rules that JSON Schema cannot say: required of a new session, a checksum, a port, a calendar, a cursor
that a page gave, and 1.0, which is an integer to JSON Schema and not here."""


def closed(shape: Any) -> Any:
    """``shape`` with nothing allowed that it does not name: clients may meet new members, but none that are missing
    from the description."""
    if isinstance(shape, list):
        return [closed(each) for each in shape]
    if not isinstance(shape, dict):
        return shape
    inner = {name: closed(each) for name, each in shape.items()}
    if isinstance(inner.get("properties"), dict) and "type" in inner:
        inner.setdefault("additionalProperties", False)
    return inner


def strict_document() -> dict[str, Any]:
    strict = deepcopy(document())
    schemas = strict["components"]["schemas"]
    # Edges may send more than this version knows.
    strict["components"]["schemas"] = {
        name: shape if name == "Event" else closed(shape) for name, shape in schemas.items()
    }
    return strict


CONFIG = {"generation": {"codec": "latin-1", "with-security-parameters": False}}
SCHEMA = schemathesis.openapi.from_dict(strict_document(), config=SchemathesisConfig.from_dict(CONFIG))
# Not by its own decorator: it takes seconds to collect, and gives all tests one id, of which pytest-xdist runs one.
Operation = APIOperation[Any, Any, Any, Any]
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations() if isinstance(found, Ok)]


class InProcess(BaseAdapter):
    """Sends what ``requests`` prepared to an ``Api``."""

    def __init__(self, api: Api) -> None:
        super().__init__()
        self._api = api

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        assert request.method is not None
        assert request.url is not None
        body = request.body.encode() if isinstance(request.body, str) else request.body
        answer = self._api.exchange(request.method, request.path_url, body, request.headers)
        response = requests.Response()
        response.status_code, response.request, response.url = answer.status, request, request.url
        response.headers.update(answer.headers)
        response.raw = HTTPResponse(BytesIO(answer.body), answer.headers, answer.status, preload_content=False)
        return response

    def close(self) -> None:
        pass


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_every_answer_is_as_described(operation: Operation, api: Api) -> None:
    headers = {"Authorization": f"Bearer {api.REPORTER if operation.path.startswith(EVENTS) else api.ADMIN}"}

    @fuzz
    @given(st.one_of([operation.as_strategy(generation_mode=mode) for mode in GenerationMode]))
    def check(case: Case[Any]) -> None:
        answer = case.call(base_url="http://127.0.0.1", session=session, headers=headers)
        case.validate_response(answer, headers=headers, excluded_checks=ELSEWHERE)
        if answer.status_code == 422 and case.meta is not None and case.meta.generation.mode.is_positive:
            assert {error["field"] for error in answer.json()["errors"]} <= BEYOND_A_SCHEMA

    with requests.Session() as session:
        session.mount("http://", InProcess(api))
        check()
