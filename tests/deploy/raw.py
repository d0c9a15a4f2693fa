"""Hand-made requests from any loopback address."""

import http.client
import json
import re
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.harness import HOST_A, Server, WebResponse
from tests.web.helpers import EVENTS

Address = tuple[str, int] | Path

LAST = b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
"""Sent after each probe, to make a server close the connection if it has not."""


@contextmanager
def connected(address: Address, source: str = "127.0.0.1") -> Iterator[socket.socket]:
    """A socket to a port, from ``source``, or to a unix socket."""
    with closing(socket.socket(socket.AF_UNIX if isinstance(address, Path) else socket.AF_INET)) as link:
        link.settimeout(10)
        if isinstance(address, Path):
            link.connect(str(address))
        else:
            link.bind((source, 0))
            link.connect(address)
        yield link


def exchanged(address: Address, request: bytes, source: str = "127.0.0.1") -> bytes:
    """The whole answer to ``request``, after which the server must close the connection."""
    answer = b""
    with connected(address, source) as link, suppress(ConnectionResetError, BrokenPipeError):
        link.sendall(request)
        while piece := link.recv(65536):
            answer += piece
    return answer


def statuses(answer: bytes) -> list[int]:
    """Status of each response in ``answer``."""
    return [int(each) for each in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answer)]


def is_served(address: Address) -> bool:
    """Whether a healthy server listens there."""
    try:
        return statuses(exchanged(address, LAST)) == [200]
    except (ConnectionRefusedError, FileNotFoundError):
        return False


def post(body: bytes, *headers: str, path: str = EVENTS, version: str = "1.1") -> bytes:
    """An edge's POST with only these framing headers."""
    lines = [f"POST {path} HTTP/{version}", "Host: payments.example", "Content-Type: application/json"]
    head = "\r\n".join([*lines, f"X-Session-Token: {Server.REPORTER}", *headers])
    return f"{head}\r\n\r\n".encode("latin-1") + body


def an_event(session_id: str) -> bytes:
    return json.dumps({"session_id": session_id, "upstream_addr": HOST_A}).encode()


def chunked(body: bytes, extension: bytes = b"") -> bytes:
    return b"%x%s\r\n%s\r\n0\r\n\r\n" % (len(body), extension, body)


def call(
    server: Server, method: str, path: str, body: Any = None, source: str = "127.0.0.1", **headers: str
) -> WebResponse:
    """A call from ``source``; the argument ``x_y`` is the header ``x-y``."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30, source_address=(source, 0))
    with closing(connection):
        # The body may be refused before it is all sent; the answer can be read all the same.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request(method, path, body, {name.replace("_", "-"): each for name, each in headers.items()})
        response = connection.getresponse()
        return WebResponse(
            response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
        )


def report(server: Server, item: Any, source: str = "127.0.0.1", **headers: str) -> WebResponse:
    """An event in the form that edges send."""
    given = {"content_type": "application/json", "x_session_token": Server.REPORTER, **headers}
    return call(server, "POST", EVENTS, json.dumps(item).encode(), source, **given)
