"""Rules 7.1 and 7.2: bodies that cannot be read, of another type, or too large."""

import json
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from payments.strictjson import read_strictly
from tests.harness import Service, WebResponse
from tests.web.api import Api
from tests.web.helpers import (
    BATCH,
    CALLS,
    EVENTS,
    ORCHESTRATOR,
    REGISTER,
    an_event,
    check_problem,
    post_event,
    send,
    wrong_fields,
)

Framing = Callable[[bytes], bytes | Iterator[bytes]]

KIB = 1024
WITH_BODY = [*CALLS["reporter"], *CALLS["admin"]]

MALFORMED = {
    "nothing": b"",
    "not-json": b"session_id=a",
    "cut-short": b'{"session_id":"a"',
    "two-values": b'{"session_id":"a"} {}',
    "trailing-comma": b'{"session_id":"a",}',
    "comment": b'{"session_id":"a"/**/}',
    "single-quotes": b"{'session_id':'a'}",
    "raw-control-character": b'{"session_id":"a\nb"}',
    "duplicate-keys": b'{"session_id":"a","session_id":"b"}',
    "equal-duplicate-keys": b'{"session_id":"a","session_id":"a"}',
    "duplicate-keys-spelled-differently": b'{"session_id":"a","session\\u005fid":"b"}',
    "duplicate-keys-inside": b'[{"x":{"a":[{"b":1,"b":1}]}}]',
    "duplicate-keys-of-lone-surrogates": b'{"\\ud800":1,"\\ud800":2}',
    "nan": b'{"upstream_port":NaN}',
    "infinity": b'{"upstream_port":Infinity}',
    "minus-infinity": b'[{"upstream_port":-Infinity}]',
    "nested-lists": b"[" * 60_000,
    "nested-closed-lists": b"[" * 30_000 + b"]" * 30_000,
    "nested-objects": b'{"a":' * 12_000,
    "endless-integer": b'{"seq":' + b"9" * 5_000 + b"}",
    "not-utf-8": b'{"session_id":"\xff"}',
    "latin-1": '{"session_id":"é"}'.encode("latin-1"),
    "overlong-utf-8": b'{"session_id":"\xc0\xaf"}',
    "surrogate-in-utf-8": b'{"session_id":"\xed\xa0\x80"}',
    "byte-order-mark": b'\xef\xbb\xbf{"session_id":"a"}',
    "utf-16": '{"session_id":"a"}'.encode("utf-16"),
    "utf-32": '{"session_id":"a"}'.encode("utf-32-le"),
    "nul": b"\x00",
}


def call(server: Service, method: str, path: str, body: bytes | Iterator[bytes], **headers: str) -> WebResponse:
    """One of ``WITH_BODY``, with the token that it needs."""
    return send(
        server, method, path, body, token=server.REPORTER if path in (EVENTS, BATCH) else server.ADMIN, **headers
    )


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in MALFORMED.items()])
def test_what_is_not_sound_json_is_malformed(api: Api, method: str, path: str, body: bytes) -> None:
    check_problem(call(api, method, path, body), "malformed")


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "text/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
     "application/problem+json", "application/json5", "json", "application/json, text/plain", "caf\u00e9"],
)  # fmt: skip
def test_other_content_types_are_refused(api: Api, method: str, path: str, content_type: str) -> None:
    check_problem(call(api, method, path, b"{}", content_type=content_type), "unsupported-media-type")


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/json;"])
def test_json_may_be_declared_in_the_usual_ways(api: Api, content_type: str) -> None:
    body = json.dumps(an_event("declared")).encode()
    assert call(api, "POST", EVENTS, body, content_type=content_type).status == 200


def padded(value: object, size: int) -> bytes:
    """``value`` as JSON of ``size`` bytes: space behind it is part of it."""
    return json.dumps(value).encode().ljust(size)


def pieces(body: bytes) -> Iterator[bytes]:
    """``body`` in chunks, so that no Content-Length says how long it will be."""
    for start in range(0, len(body), 10_000):
        yield body[start : start + 10_000]


class Sized(NamedTuple):
    """A call, a body that it takes, and how large that may be."""

    method: str
    path: str
    value: object
    limit: int


SIZED = [
    pytest.param(Sized("POST", EVENTS, an_event("sized"), 64 * KIB), id="event"),
    pytest.param(Sized("POST", BATCH, [an_event("sized-in-batch")], 1024 * KIB), id="batch"),
    pytest.param(Sized("POST", REGISTER, {"orchestrator_id": "orch-a"}, 64 * KIB), id="register"),
    pytest.param(Sized("PATCH", ORCHESTRATOR, {"enabled": True}, 64 * KIB), id="patch"),
]
FRAMED = [pytest.param(bytes, id="whole"), pytest.param(pieces, id="chunked")]


@pytest.mark.parametrize("framed", FRAMED)
@pytest.mark.parametrize("sized", SIZED)
def test_body_of_the_full_size_is_taken(api: Api, sized: Sized, framed: Framing) -> None:
    api.register("orch-a")
    body = framed(padded(sized.value, sized.limit))
    assert call(api, sized.method, sized.path, body).status in (200, 201)


@pytest.mark.parametrize("framed", FRAMED)
@pytest.mark.parametrize("excess", [1, 40_000])
@pytest.mark.parametrize("sized", SIZED)
def test_body_over_its_size_is_refused_however_it_is_sent(api: Api, sized: Sized, excess: int, framed: Framing) -> None:
    api.register("orch-a")
    body = framed(padded(sized.value, sized.limit + excess))
    check_problem(call(api, sized.method, sized.path, body), "too-large")


@pytest.mark.parametrize("body", ["null", "true", "1", '"text"', "[]", "[{}]", "1e400"])
@pytest.mark.parametrize(("method", "path"), [each for each in WITH_BODY if each[1] != BATCH])
def test_json_that_is_no_object_is_invalid(api: Api, method: str, path: str, body: str) -> None:
    answer = call(api, method, path, body.encode())
    assert wrong_fields(answer) == ["body"]


def test_body_of_many_names_of_which_the_last_stands_twice_holds_up_nobody() -> None:
    """One that may be sent by the hundred, to the thread that answers everybody."""
    names = [*range(20_000), 19_999]
    body = b"{%b}" % b",".join(b'"%d":1' % name for name in names)
    begun_s = time.monotonic()
    with pytest.raises(ValueError, match="'19999' stands twice"):
        read_strictly(body)
    assert time.monotonic() - begun_s < 0.5


def test_after_all_of_that_an_event_is_recorded(api: Api) -> None:
    assert post_event(api, an_event("after-all-of-that")).json()["outcome"] == "recorded"
