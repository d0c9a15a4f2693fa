"""For any answer of a host and any address in a record, asking never raises and always gives a valid reading."""

from contextlib import closing
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note
from hypothesis import strategies as st
from marshmallow import ValidationError

from payments.registry.records import RecordSchema
from tests.harness import campaign
from tests.worker.hosts import HostConnection, PowerHost
from worker.dial import BoundedAdapter
from worker.power import ask

fuzz = campaign(100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

ADAPTER = BoundedAdapter(pool_connections=100, pool_maxsize=1)

BODY = b'{"state":"awake"}'
SOUND = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n" + BODY
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11\r\n" + BODY + b"\r\n0\r\n\r\n"
PIECES = st.binary(max_size=6) | st.sampled_from(
    [b"\r\n", b"\r\n\r\n", b":", b"\x00", b"\xff", b" ", b"-1", b"99999999999999999999", b"HTTP/1.1 ", b"200", b"302",
     b"100", b"chunked", b"gzip", b"Location: http://169.254.169.254/", b'"unknown"', b"\\ud800", b"{", b"[" * 2000,
     b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Content-Encoding: br\r\n"]
)  # fmt: skip


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """A valid answer with up to four parts replaced."""
    data = draw(st.sampled_from([SOUND, CHUNKED]))
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(data)))
        end = begin + draw(st.integers(0, 12))
        data = data[:begin] + draw(PIECES) + data[end:]
    return data


@pytest.fixture(scope="module")
def host() -> Any:
    """A host that answers ``host.said``."""
    said: dict[str, bytes] = {}

    def act(peer: HostConnection) -> None:
        peer.read_request()
        peer.send(said["data"])

    with closing(PowerHost(act)) as running:
        yield running, said


@fuzz
@given(data=answers())
def test_an_answer_of_any_bytes_is_a_word_or_unknown(host: Any, data: bytes) -> None:
    running, said = host
    said["data"] = data
    state, detail = ask(ADAPTER, running.url, timeout_s=1)
    note(f"{state} {detail}")
    assert 0 < len(state) <= 32
    assert state.isprintable()
    assert (detail is None) == (state != "unknown")
    assert detail is None or (detail.isprintable() and len(detail) <= 100)
    if state not in ("unknown", "awake"):
        assert state.encode() in data


HOSTS = st.sampled_from(
    ["h.invalid", "169.254.169.254", "[fe80::1]", "[::ffff:a9fe:a9fe]", "0xa9fea9fe", "\u2488\u2488", "a%00b", "[v1.x]"]
)
PARTS = st.text(st.characters(exclude_categories=()), max_size=8) | st.sampled_from(
    ["@", "#", "?", "\\", "%", ":", ".."]
)
URLS = st.builds(
    "{0}://{1}{2}{3}".format, st.sampled_from(["http", "https", "HTTP", "ftp"]), HOSTS | PARTS, PARTS, PARTS
)


@fuzz
@given(url=URLS)
def test_an_address_that_a_record_may_hold_is_asked_or_unknown(url: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("worker.dial._Bounded.connect", lambda *_: pytest.fail("connected"), raising=False)
        patch.setattr("socket.getaddrinfo", lambda host, port, **_: [(2, 1, 6, "", ("169.254.169.254", port))])
        try:
            record = RecordSchema().load({"orchestrator_id": "orch", "power_url": url})
        except ValidationError:
            return
        state, detail = ask(ADAPTER, record["power_url"], timeout_s=1)
    note(f"{state} {detail}")
    assert state == "unknown"
    assert detail is not None
    assert detail.isprintable()
