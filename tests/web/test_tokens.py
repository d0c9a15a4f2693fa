"""Who may call what: rule 3.1."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pytest

from tests.harness import Service, WebResponse
from tests.web.api import Api, running_api
from tests.web.helpers import (
    CALLS,
    EVENTS,
    an_event,
    check_problem,
    post_event,
    send,
)

REPORTER, VIEWER, ADMIN = Api.REPORTER, Api.VIEWER, Api.ADMIN

EVERY_CALL = [
    pytest.param(role, *call, id=f"{role}-{call[0]}-{call[1]}") for role, calls in CALLS.items() for call in calls
]


class Opens(NamedTuple):
    """Which calls a header opens; the others answer 403 where it is valid elsewhere, and 401 where it is not."""

    roles: frozenset[str]
    header: str
    value: str
    refusals: Mapping[str, str]


def opens(header: str, value: str, *roles: str, **refusals: str) -> Opens:
    """``refusals``: by role, where a call that it does not open says anything but 401."""
    return Opens(frozenset(roles), header, value, refusals)


WEAK = "forbidden"
HEADERS = {
    "nothing": opens("X-Nothing", ""),
    "reporter": opens("X-Session-Token", REPORTER, "reporter", viewer=WEAK, admin=WEAK),
    "viewer": opens("X-Admin-Token", VIEWER, "viewer", reporter=WEAK, admin=WEAK),
    "admin": opens("X-Admin-Token", ADMIN, "viewer", "admin", reporter=WEAK),
    "bearer-reporter": opens("Authorization", f"Bearer {REPORTER}", "reporter", viewer=WEAK, admin=WEAK),
    "bearer-viewer": opens("Authorization", f"Bearer {VIEWER}", "viewer", reporter=WEAK, admin=WEAK),
    "bearer-admin": opens("Authorization", f"bearer  {ADMIN} ", "viewer", "admin", reporter=WEAK),
    "reporter-as-admin": opens("X-Admin-Token", REPORTER, viewer=WEAK, admin=WEAK),
    "viewer-as-reporter": opens("X-Session-Token", VIEWER, reporter=WEAK, admin=WEAK),
    "admin-as-reporter": opens("X-Session-Token", ADMIN, reporter=WEAK),
    "empty-session-token": opens("X-Session-Token", ""),
    "empty-admin-token": opens("X-Admin-Token", ""),
    "beginning-of-it": opens("X-Session-Token", REPORTER[:-1]),
    "more-than-it": opens("X-Session-Token", REPORTER + "x"),
    "other-case": opens("X-Admin-Token", ADMIN.upper()),
    "two-of-them": opens("X-Admin-Token", f"{ADMIN},{VIEWER}"),
    "non-ascii": opens("X-Admin-Token", "caf\u00e9"),
    "non-ascii-bearer": opens("Authorization", "Bearer \u00ff\u00fe"),
    "bare-authorization": opens("Authorization", ADMIN),
    "basic": opens("Authorization", f"Basic {ADMIN}"),
    "bearer-without-a-token": opens("Authorization", "Bearer"),
    "very-long": opens("X-Admin-Token", "x" * 4000),
}
NEEDED = {"reporter": "PAYMENTS_SESSION_REPORTER_TOKEN", "viewer": "a viewer's or an admin's", "admin": "an admin's"}

MEANWHILE_MALFORMED = b"{"
"""Tokens are checked first, so what comes back tells whether the call was let in."""


def call(server: Service, method: str, path: str, **headers: str) -> WebResponse:
    body = None if method == "GET" else MEANWHILE_MALFORMED
    return server.exchange(method, path, body, {"Content-Type": "application/json", **headers})


def check_let_in(answer: WebResponse) -> None:
    assert answer.status in (200, 400, 404), answer


@pytest.mark.parametrize("given", [pytest.param(given, id=name) for name, given in HEADERS.items()])
@pytest.mark.parametrize(("role", "method", "path"), EVERY_CALL)
def test_token_opens_the_calls_of_its_role_only(api: Api, role: str, method: str, path: str, given: Opens) -> None:
    answer = call(api, method, path, **{given.header: given.value})
    if role == "anyone" or role in given.roles:
        check_let_in(answer)
        return
    kind = given.refusals.get(role, "unauthenticated")
    detail = check_problem(answer, kind)["detail"]
    assert (NEEDED[role] if kind == WEAK else "X-Session-Token" if role == "reporter" else "X-Admin-Token") in detail


def test_one_right_token_of_two_headers_is_enough(api: Api) -> None:
    check_let_in(call(api, "GET", "/api/sessions", **{"X-Admin-Token": "wrong", "Authorization": f"Bearer {VIEWER}"}))


def test_wrong_token_is_refused_before_the_body_is_looked_at(api: Api) -> None:
    answer = send(api, "POST", EVENTS, b"x" * 100_000, token="wrong", content_type="text/plain")
    check_problem(answer, "unauthenticated")


def test_refused_event_is_not_recorded(api: Api) -> None:
    send(api, "POST", EVENTS, b'{"session_id":"refused","upstream_addr":"1.2.3.4"}', token="wrong")
    check_problem(send(api, "GET", "/api/sessions/refused", token=VIEWER), "not-found")


@pytest.fixture(scope="module")
def rotating(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Two reporter tokens, two viewer tokens, no admin token."""
    tokens = {"SESSION_REPORTER_TOKEN": "old, new", "VIEWER_TOKENS": "one,two", "API_ADMIN_TOKEN": ""}
    with running_api(
        tmp_path_factory.mktemp("rotating"), {f"PAYMENTS_{name}": value for name, value in tokens.items()}
    ) as running:
        yield running


@pytest.mark.parametrize(
    ("path", "token", "refusal"),
    [
        (EVENTS, "old", None), (EVENTS, "new", None), (EVENTS, "old, new", "unauthenticated"), (EVENTS, "one", WEAK),
        ("/api/sessions", "one", None), ("/api/sessions", "two", None), ("/api/sessions", "old", WEAK),
    ],
)  # fmt: skip
def test_any_token_of_a_list_will_do(rotating: Api, path: str, token: str, refusal: str | None) -> None:
    answer = call(rotating, "POST" if path == EVENTS else "GET", path, Authorization=f"Bearer {token}")
    if refusal is None:
        check_let_in(answer)
    else:
        check_problem(answer, refusal)


@pytest.mark.parametrize(("method", "path"), CALLS["admin"])
@pytest.mark.parametrize("token", ["one", "old", "", ADMIN])
def test_admin_calls_are_closed_until_an_admin_token_is_set(rotating: Api, method: str, path: str, token: str) -> None:
    problem = check_problem(call(rotating, method, path, Authorization=f"Bearer {token}"), "forbidden")
    assert "PAYMENTS_API_ADMIN_TOKEN" in problem["detail"]


@pytest.fixture(scope="module")
def tokenless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """No token is configured at all."""
    names = ("SESSION_REPORTER_TOKEN", "VIEWER_TOKENS", "API_ADMIN_TOKEN")
    with running_api(tmp_path_factory.mktemp("tokenless"), {f"PAYMENTS_{name}": "" for name in names}) as running:
        yield running


@pytest.mark.parametrize(("role", "method", "path"), EVERY_CALL)
@pytest.mark.parametrize("token", ["", "whatever", "caf\u00e9"])
def test_without_configured_tokens_all_but_admin_calls_are_open(
    tokenless: Api, role: str, method: str, path: str, token: str
) -> None:
    answer = call(tokenless, method, path, **{"X-Admin-Token": token, "X-Session-Token": token})
    if role == "admin":
        check_problem(answer, "forbidden")
    else:
        check_let_in(answer)


def test_an_admin_token_alone_closes_viewer_calls(tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = {"PAYMENTS_VIEWER_TOKENS": "", "PAYMENTS_SESSION_REPORTER_TOKEN": ""}
    with running_api(tmp_path_factory.mktemp("admin-only"), settings) as server:
        check_problem(call(server, "GET", "/api/sessions"), "unauthenticated")
        check_let_in(call(server, "GET", "/api/sessions", **{"X-Admin-Token": ADMIN}))
        assert post_event(server, an_event("s-1")).status == 200
        assert send(server, "POST", EVENTS, b'{"session_id":"s-2","upstream_addr":"1.2.3.4"}').status == 200
