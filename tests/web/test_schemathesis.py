"""Requests made up from the API's own description, sound ones and others, and answers held against it."""

from copy import deepcopy
from typing import Any

import schemathesis
from hypothesis import HealthCheck
from schemathesis import Case
from schemathesis.checks import load_all_checks
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import allow_header_conformance, ignored_auth, positive_data_acceptance

from payments.web.openapi.document import document
from tests.harness import Server, campaign

load_all_checks()

ELSEWHERE = [ignored_auth, allow_header_conformance, positive_data_acceptance]
"""Checks that are made better: ``test_tokens`` knows that one right token of two is enough, ``test_routing`` that a
session may be called "events"; the last one is made below."""

fuzz = campaign(20, suppress_health_check=list(HealthCheck))

BEYOND_A_SCHEMA = {
    "upstream_addr", "address", "power_url", "host_public_ip", "occurred_at", "since", "until", "upstream_port", "seq",
}  # fmt: skip
"""Fields with rules that JSON Schema cannot say: required of a new session, a checksum, a port, a calendar, and 1.0,
which is an integer to JSON Schema and not here."""


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
# Not from a fixture: schemathesis 4.32 cannot do that under pytest 9.2.
api = schemathesis.openapi.from_dict(strict_document(), config=SchemathesisConfig.from_dict(CONFIG))


@api.parametrize()
@fuzz
def test_every_answer_is_as_described(case: Case[Any], shared_server: Server) -> None:
    token = shared_server.REPORTER if case.path.startswith("/api/sessions/events") else shared_server.ADMIN
    headers = {"Authorization": f"Bearer {token}"}
    answer = case.call(base_url=shared_server.url, headers=headers)
    case.validate_response(answer, headers=headers, excluded_checks=ELSEWHERE)
    if answer.status_code == 422 and case.meta is not None and case.meta.generation.mode.is_positive:
        assert {error["field"] for error in answer.json()["errors"]} <= BEYOND_A_SCHEMA
