"""Nothing that a client can send causes a 500, and every refusal is well-formed."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note
from hypothesis import strategies as st

from tests.harness import HOST_A, Server, Service, WebResponse, campaign
from tests.web.api import Api
from tests.web.helpers import (
    BATCH,
    EVENTS,
    ORCHESTRATOR,
    REGISTER,
    STATUSES,
    an_event,
    check_problem,
    post_event,
    walk,
)

fuzz = campaign(60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

KINDS = {status: kind for kind, status in STATUSES.items()}

BODIED = [("POST", EVENTS), ("POST", BATCH), ("POST", REGISTER), ("PATCH", ORCHESTRATOR)]
READ = ["/api/sessions", "/api/sessions/", "/api/ledger/events", "/api/ledger/balances", "/api/orchestrators",
        "/api/orchestrators/", f"{ORCHESTRATOR}/stats", "/api/power", "/healthz", "/readyz"]  # fmt: skip
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]

# Characters of every kind, lone surrogates too: JSON can spell them.
TEXTS = st.text(st.characters(exclude_categories=()), max_size=20) | st.sampled_from(["", "\ud800", "\x00", "x" * 200])
NUMBERS = (
    st.integers() | st.floats() | st.sampled_from([0, 1, -1, 65535, 65536, 2**63, 2**64, 10**40, -(10**40), 1e308])
)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)
TIMES = st.datetimes().map(lambda moment: f"{moment.isoformat()}Z") | st.sampled_from(["2026-01-31T12:00:00Z", ""])
HOSTS = st.ip_addresses().map(str) | st.sampled_from([HOST_A, "::ffff:203.0.113.10", "fe80::1%1", "1.2.3"])
NAMES = st.sampled_from(["s-1", "s-2", "orch-a", "orch-b"]) | TEXTS

SOUND: dict[str, st.SearchStrategy[Any]] = {
    "session_id": NAMES,
    "event": st.sampled_from(["start", "heartbeat", "end"]),
    "upstream_addr": HOSTS,
    "upstream_port": st.integers(0, 65536),
    "edge_id": TEXTS,
    "streamer_id": TEXTS,
    "event_id": st.sampled_from(["id-1", "id-2"]) | TEXTS,
    "seq": st.integers(-1, 20),
    "occurred_at": TIMES,
    "orchestrator_id": NAMES,
    "address": st.from_regex(r"0x[0-9a-fA-F]{40}", fullmatch=True) | TEXTS,
    "host_public_ip": HOSTS,
    "host_name": TEXTS,
    "power_url": st.sampled_from(["http://h", "https://[::1]:9090/power", "http://[", "http://h:x"]) | TEXTS,
    "enabled": st.booleans(),
}
OBJECTS = st.fixed_dictionaries({}, optional={name: sound | VALUES for name, sound in SOUND.items()}).flatmap(
    lambda known: st.dictionaries(TEXTS, VALUES, max_size=2).map(lambda others: {**others, **known})
)
"""Events and records alike: mostly sound, some fields missing, some anything, some unknown."""


@pytest.fixture(scope="module", autouse=True)
def orchestrators(api: Api) -> None:
    api.register("orch-a", HOST_A)


def ask(
    server: Service, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> None:
    """Send it, with the token that opens the most, and check what comes back."""
    token = server.REPORTER if target.startswith(EVENTS) else server.ADMIN
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}", **(headers or {})}
    note(f"{method} {target} {headers} {body!r}")
    check_answer(method, server.exchange(method, target, body, headers))


def check_answer(method: str, answer: WebResponse) -> None:
    assert answer.status < 500, answer
    if method == "HEAD" or (method == "OPTIONS" and answer.status == 200):
        assert answer.body == b""
    elif answer.status >= 400:
        check_problem(answer, KINDS[answer.status])
    else:
        assert answer.headers["content-type"] == "application/json"
        assert isinstance(answer.json(), dict)


def as_json(value: Any) -> bytes:
    """``value``, with ``NaN`` and lone surrogates spelled as a careless client would."""
    return json.dumps(value).encode()


def escape(data: bytes) -> str:
    return "".join(f"%{byte:02x}" for byte in data)


@pytest.mark.parametrize(("method", "path"), BODIED)
@fuzz
@given(st.binary(max_size=300))
def test_arbitrary_bytes(api: Api, method: str, path: str, body: bytes) -> None:
    ask(api, method, path, body)


@pytest.mark.parametrize(("method", "path"), BODIED)
@fuzz
@given(VALUES)
def test_arbitrary_json(api: Api, method: str, path: str, value: Any) -> None:
    ask(api, method, path, as_json(value))


@pytest.mark.parametrize(("method", "path"), [each for each in BODIED if each[1] != BATCH])
@fuzz
@given(OBJECTS)
def test_almost_sound_objects(api: Api, method: str, path: str, value: Any) -> None:
    ask(api, method, path, as_json(value))


@fuzz
@given(st.lists(OBJECTS | VALUES, max_size=6))
def test_almost_sound_batches(api: Api, items: list[Any]) -> None:
    ask(api, "POST", BATCH, as_json(items))


@fuzz
@given(OBJECTS, st.data())
def test_sound_json_with_a_few_bytes_changed(api: Api, value: Any, data: st.DataObject) -> None:
    body = bytearray(as_json(value))
    for place in data.draw(st.lists(st.integers(0, len(body) - 1), max_size=3)):
        body[place] = data.draw(st.integers(0, 255))
    ask(api, "POST", EVENTS, bytes(body))


# The rest of Latin-1 is control characters, which end or break a header, and the server refuses before it is ours.
HEADER_TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_categories=["Cc"]), max_size=60)
HEADER_NAMES = st.sampled_from(
    ["Content-Type", "Authorization", "X-Session-Token", "X-Admin-Token", "Host", "Accept", "Accept-Charset", "Cookie",
     "Content-Encoding", "X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "Range", "If-Match", "If-Modified-Since",
     "Upgrade", "Origin", "Referer", "Date", "Via"]
) | st.from_regex(r"X-[A-Za-z0-9!#$&'*+.^`|~-]{1,20}", fullmatch=True)  # fmt: skip


@pytest.mark.parametrize(("method", "path"), [*BODIED, ("GET", "/api/sessions")])
@fuzz
@given(st.dictionaries(HEADER_NAMES, HEADER_TEXTS, max_size=5))
def test_odd_headers(shared_server: Server, method: str, path: str, headers: dict[str, str]) -> None:
    ask(shared_server, method, path, None if method == "GET" else b'{"session_id":"s-1"}', headers)


SEGMENTS = st.sampled_from(["", ".", "..", "%2f", "%2e%2e", "%00", ";", "api", "sessions", "events", "orch-a", "~"])
PATHS = st.lists(SEGMENTS | st.binary(max_size=6).map(escape), max_size=4).map("/".join)


@fuzz
@given(st.sampled_from(METHODS), st.sampled_from(["/", *READ, EVENTS, BATCH, REGISTER]), PATHS, st.booleans())
def test_odd_paths(shared_server: Server, method: str, base: str, path: str, with_body: bool) -> None:
    ask(shared_server, method, f"{base}{path}", b"{}" if with_body else None)


PARAMETERS = ["limit", "cursor", "status", "active_only", "orchestrator_id", "edge_id", "reason", "session_id", "since",
              "until", "unknown", ""]  # fmt: skip
PARAMETER_VALUES = (
    st.sampled_from(["1", "0", "2000", "9223372036854775807", "active", "true", "s-1", "orch-a", "session_time"])
    | TIMES
    | st.binary(max_size=12).map(escape)
    | st.text(st.sampled_from("%&=+;,/?:@!$'()*[]-._~0"), max_size=8)
)


@fuzz
@given(st.sampled_from(READ), st.lists(st.tuples(st.sampled_from(PARAMETERS), PARAMETER_VALUES, st.sampled_from("=&"))))
def test_odd_queries(shared_server: Server, path: str, parameters: list[tuple[str, str, str]]) -> None:
    query = "&".join(f"{name}{sign}{value}" for name, value, sign in parameters)
    ask(shared_server, "GET", f"{path}?{query}")


@pytest.fixture(scope="module", autouse=True)
def still_sound(api: Api) -> Iterator[None]:
    """After all of it, events are recorded, and all that was recorded can be read."""
    yield
    assert post_event(api, an_event("after all")).json()["outcome"] == "recorded"
    assert api.get("/readyz")["status"] == "ok"
    entries = walk(api, "/api/ledger/events", limit=2000)
    assert len(entries) == entries[0]["seq"]
    assert walk(api, "/api/sessions", limit=2000)[0]["session_id"] == "after all"
