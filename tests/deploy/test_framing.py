"""Request smuggling: nobody gets two requests out of one, through nginx or at gunicorn directly."""

from pathlib import Path

import pytest

from tests.deploy.proxy import Proxied, recorded
from tests.deploy.raw import LAST, Address, an_event, chunked, exchanged, post, statuses
from tests.harness import Server
from tests.web.helpers import EVENTS


def hidden(session_id: str) -> bytes:
    """A complete request that was never sent as one."""
    body = an_event(session_id)
    return post(body, f"Content-Length: {len(body)}")


def length(body: bytes) -> str:
    return f"Content-Length: {len(body)}"


CHUNKED = "Transfer-Encoding: chunked"


def refused(outer: bytes, inner: bytes) -> dict[str, bytes]:
    """Ambiguous or invalid requests, which no server may accept. ``outer``: an event; ``inner``: to be smuggled."""
    body, both = chunked(outer), b"0\r\n\r\n" + inner
    return {
        "cl-te": post(both, length(both), CHUNKED),
        "te-cl": post(chunked(inner), CHUNKED, "Content-Length: 4"),
        "cl-te-whole": post(body, length(body), CHUNKED),
        "te-twice": post(both, CHUNKED, CHUNKED),
        "te-identity": post(both, CHUNKED, "Transfer-Encoding: identity", length(both)),
        "te-list": post(both, "Transfer-Encoding: chunked, chunked"),
        "te-unknown": post(both, "Transfer-Encoding: xchunked", length(both)),
        "te-unknown-alone": post(both, "Transfer-Encoding: xchunked"),
        "te-tab": post(both, "Transfer-Encoding: \x0bchunked", length(both)),
        "te-quoted": post(both, 'Transfer-Encoding: "chunked"', length(both)),
        "te-in-1.0": post(both, CHUNKED, length(both), version="1.0"),
        "length-twice": post(both, "Content-Length: 5", length(both)),
        "length-list": post(both, f"Content-Length: 5, {len(both)}"),
        "length-plus": post(outer, f"Content-Length: +{len(outer)}"),
        "length-negative": post(both, "Content-Length: -1"),
        "length-hex": post(both, "Content-Length: 0x5"),
        "length-words": post(both, "Content-Length: 5 5"),
        "length-superscript": post(both, "Content-Length: \xb2"),
        "chunk-size-hex": post(b"0x" + body, CHUNKED),
        "chunk-size-minus": post(b"-" + body, CHUNKED),
        "chunk-size-empty": post(b"\r\n" + inner, CHUNKED),
        "chunk-without-end": post(b"%x\r\n%s0\r\n\r\n" % (len(outer), outer) + inner, CHUNKED),
        "host-twice": post(outer, length(outer), "Host: other.example"),
        "request-line-words": b"POST /api/sessions/events x HTTP/1.1\r\nHost: h\r\n\r\n",
        "version": b"POST /api/sessions/events HTTP/3.1\r\nHost: h\r\n\r\n",
        "target-unreadable": b"GET healthz HTTP/1.1\r\nHost: h\r\n\r\n",
        "null-in-header": b"GET /healthz HTTP/1.1\r\nHost: h\r\nX-A: \0b\r\n\r\n",
    }


def once_or_refused(outer: bytes, inner: bytes) -> dict[str, bytes]:
    """Requests that some servers accept; if accepted, they must count once."""
    body, both = chunked(outer), b"0\r\n\r\n" + inner
    target = f"http://other.example{EVENTS}"
    return {
        "absolute-target": post(outer, length(outer), path=target),
        "chunk-extension": post(chunked(outer, b";a=b"), CHUNKED),
        "chunk-extension-quoted": post(chunked(outer, b';a="b;c"'), CHUNKED),
        "chunk-extension-bare-lf": post(chunked(outer, b";a\nb"), CHUNKED),
        "chunk-size-bare-lf": post(body.replace(b"\r\n", b"\n"), CHUNKED),
        "chunk-size-zeros": post(b"000" + body, CHUNKED),
        "trailer": post(body[:-2] + b"Content-Length: 5\r\nX-A: b\r\n\r\n", CHUNKED),
        "te-capitals": post(body, "Transfer-Encoding: CHUNKED"),
        "te-space-before-colon": post(both, "Transfer-Encoding : chunked", length(both)),
        "te-underscore": post(both, "Transfer_Encoding: chunked", length(both)),
        "te-folded": post(both, "Transfer-Encoding:\r\n chunked", length(both)),
        "folded": post(outer, "X-A: b\r\n c", length(outer)),
        "folded-length": post(both, f"X-A: b\r\n Content-Length: 5\r\n{length(both)}"),
        "te-behind-bare-lf": post(both, f"X-A: b\n{CHUNKED}", length(both)),
        "te-behind-bare-cr": post(both, f"X-A: b\r{CHUNKED}", length(both)),
        "headers-end-in-bare-lf": post(outer, length(outer)).replace(b"\r\n\r\n", b"\n\n", 1),
        "expect": post(outer, "Expect: 100-continue", length(outer)),
        "expect-unknown": post(outer, "Expect: 200-ok", length(outer)),
        "upgrade": post(outer, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", length(outer)),
        "connection-length": post(outer, "Connection: Content-Length", length(outer)),
        "no-host": post(outer, length(outer)).replace(b"Host: payments.example\r\n", b""),
        "body-of-a-get": b"GET /healthz HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%b" % (len(inner), inner),
        "body-unread": post(inner, length(inner)).replace(Server.REPORTER.encode(), b"wrong", 1),
        "body-unread-chunked": post(chunked(inner), CHUNKED).replace(Server.REPORTER.encode(), b"wrong", 1),
        "length-zeros": post(outer, f"Content-Length: 000{len(outer)}"),
        "blank-line-first": b"\r\n" + post(outer, length(outer)),
    }


@pytest.fixture(params=["nginx", "gunicorn"])
def address(request: pytest.FixtureRequest, proxied: Proxied) -> Address:
    return ("127.0.0.1", proxied.port) if request.param == "nginx" else proxied.proxy.socket


def names(address: Address, probe: str) -> tuple[str, str]:
    where = "gunicorn" if isinstance(address, Path) else "nginx"
    return f"outer-{where}-{probe}", f"inner-{where}-{probe}"


@pytest.mark.parametrize("probe", refused(b"", b""))
def test_ambiguous_request_is_refused(proxied: Proxied, address: Address, probe: str) -> None:
    outer, inner = names(address, probe)
    found = statuses(exchanged(address, refused(an_event(outer), hidden(inner))[probe] + LAST))
    assert len(found) == 1, found
    # 501 is for an unknown transfer coding.
    assert 400 <= found[0] < 500 or found[0] == 501
    assert (recorded(proxied, outer), recorded(proxied, inner)) == (0, 0)


@pytest.mark.parametrize("probe", once_or_refused(b"", b""))
def test_odd_request_is_refused_or_carried_out_once(proxied: Proxied, address: Address, probe: str) -> None:
    outer, inner = names(address, probe)
    found = statuses(exchanged(address, once_or_refused(an_event(outer), hidden(inner))[probe] + LAST))
    found = [status for status in found if status != 100]
    first, *rest = found
    assert first == 200 or 400 <= first < 500, found
    assert rest in ([], [200]), found
    is_event = first == 200 and probe != "body-of-a-get"
    assert (recorded(proxied, outer), recorded(proxied, inner)) == (int(is_event), 0)


def test_two_requests_are_two(proxied: Proxied, address: Address) -> None:
    """The probes would be useless if these were not detected."""
    outer, inner = names(address, "pipelined")
    assert statuses(exchanged(address, hidden(outer) + hidden(inner) + LAST)) == [200, 200, 200]
    assert (recorded(proxied, outer), recorded(proxied, inner)) == (1, 1)


@pytest.mark.parametrize(
    ("target", "header", "status"),
    [
        pytest.param("/healthz", "a" * 4000, 200, id="below"),
        pytest.param(f"/healthz?{'a' * 4000}", "a", 200, id="line-below"),
        pytest.param("/healthz", "a" * 4200, 431, id="header"),
        pytest.param(f"/healthz?{'a' * 4200}", "a", 414, id="line"),
        pytest.param("/healthz", "\r\nX-B: ".join(["a" * 3000] * 6), 431, id="headers"),
    ],
)
def test_long_lines_and_large_headers_are_refused(proxied: Proxied, target: str, header: str, status: int) -> None:
    request = f"GET {target} HTTP/1.1\r\nHost: h\r\nX-A: {header}\r\nConnection: close\r\n\r\n".encode()
    answer = exchanged(("127.0.0.1", proxied.port), request)
    assert statuses(answer) == [status]
    if status != 200:
        assert b"application/problem+json" in answer
    if "\r\n" not in header:
        assert statuses(exchanged(proxied.proxy.socket, request)) == [status]


def test_many_headers_are_refused_by_gunicorn_and_never_reach_it_through_nginx(proxied: Proxied) -> None:
    lines = "".join(f"X-{number}: a\r\n" for number in range(60))
    request = f"GET /healthz HTTP/1.1\r\nHost: h\r\n{lines}Connection: close\r\n\r\n".encode()
    assert statuses(exchanged(proxied.proxy.socket, request)) == [431]
    assert statuses(exchanged(("127.0.0.1", proxied.port), request)) == [200]
