"""Plain HTTP requests and responses pass through unchanged."""

import gzip
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from tests.edge.gateway.gateways import GatewayProcess, running_gateway
from tests.edge.gateway.hosts import RawHost, raw_hosting
from tests.edge.gateway.raw import RawPeer, connected
from tests.edge.stand_in import StandIn
from tests.harness import free_port, until

PAGE = b"<!doctype html><title>player</title>" + bytes(range(256)) * 400


class PageHandler(BaseHTTPRequestHandler):
    """A player page, and other things that a game host may serve."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/player.html?q=%20":
            self._answer(200, PAGE, ("Content-Type", "text/html"), ("ETag", '"1"'), ("Set-Cookie", "a=1"),
                         ("Set-Cookie", "b=2"), ("Connection", "X-Hop"), ("X-Hop", "no"))  # fmt: skip
        elif self.path == "/packed":
            self._answer(200, gzip.compress(PAGE), ("Content-Encoding", "gzip"))
        elif self.path == "/moved":
            self._answer(302, b"", ("Location", "http://192.0.2.1/elsewhere"))
        elif self.path == "/chunks":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in (b"one", b"two"):
                self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")
        elif self.path == "/half-chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"4\r\nhalf\r\n")
            self.close_connection = True
        elif self.path == "/unchanged":
            self._answer(304, b"", ("ETag", '"1"'))
        elif self.path == "/half":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"half")
            self.close_connection = True
        else:
            self._answer(404, b"no such page")

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        if self.headers["Transfer-Encoding"] == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        named = [f"{name}={self.headers[name]}".encode() for name in ("Content-Type", "Content-Encoding", "Expect")]
        self._answer(201, b" ".join([self.command.encode(), *named, body]))

    do_PUT = do_DELETE = do_PATCH = do_PURGE = do_POST  # noqa: N815

    def do_OPTIONS(self) -> None:
        self._answer(204, b"", ("Allow", "GET"))

    def _answer(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


class PageServer(ThreadingHTTPServer):
    daemon_threads = True


@pytest.fixture(scope="module")
def player() -> Iterator[str]:
    server = PageServer(("127.0.0.1", 0), PageHandler)
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, player: str, payments: StandIn) -> Iterator[GatewayProcess]:
    with running_gateway(tmp_path_factory.mktemp("edge"), payments.url, player) as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def slow_head(gateway: GatewayProcess) -> Iterator[tuple[RawPeer, float]]:
    """A client that sent half a request before the first test, and when; the last test looks at the outcome."""
    with connected(gateway.port) as client:
        client.socket.settimeout(40)
        client.send(b"GET / HT")
        yield client, time.monotonic()


def ask(gateway: GatewayProcess, method: str, path: str, **options: object) -> requests.Response:
    return requests.request(method, f"{gateway.url}{path}", timeout=10, allow_redirects=False, **options)  # type: ignore[arg-type]


def test_a_page_comes_as_it_is_and_so_does_its_head(gateway: GatewayProcess) -> None:
    answer = ask(gateway, "GET", "/player.html?q=%20")
    assert (answer.status_code, answer.content) == (200, PAGE)
    assert answer.headers["Content-Type"] == "text/html"
    assert (answer.headers["ETag"], answer.headers.get("X-Hop")) == ('"1"', None)
    assert answer.raw.headers.getlist("Set-Cookie") == ["a=1", "b=2"]
    head = ask(gateway, "HEAD", "/player.html?q=%20")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(PAGE))


def test_what_is_packed_stays_packed(gateway: GatewayProcess) -> None:
    answer = ask(gateway, "GET", "/packed", stream=True)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.raw.read(decode_content=False)) == PAGE


@pytest.mark.parametrize(
    ("path", "status", "content"),
    [
        ("/chunks", 200, b"onetwo"),
        ("/moved", 302, b""),
        ("/unchanged", 304, b""),
        ("/elsewhere", 404, b"no such page"),
    ],
)
def test_any_status_is_passed_on(gateway: GatewayProcess, path: str, status: int, content: bytes) -> None:
    answer = ask(gateway, "GET", path)
    assert (answer.status_code, answer.content) == (status, content)
    assert answer.headers.get("Location") == ("http://192.0.2.1/elsewhere" if status == 302 else None)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PURGE"])
def test_any_method_with_a_body_is_passed_on(gateway: GatewayProcess, method: str) -> None:
    answer = ask(gateway, method, "/", data=PAGE, headers={"Content-Type": "x/y"})
    assert (answer.status_code, answer.content) == (
        201,
        method.encode() + b" Content-Type=x/y Content-Encoding=None Expect=None " + PAGE,
    )


def test_a_body_of_unknown_length_and_a_packed_one_are_passed_on(gateway: GatewayProcess) -> None:
    packed = gzip.compress(PAGE)
    answer = ask(gateway, "POST", "/", data=iter([packed[:9], packed[9:]]), headers={"Content-Encoding": "gzip"})
    assert answer.content == b"POST Content-Type=None Content-Encoding=gzip Expect=None " + packed


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Connection": "upgrade"}, id="nothing-to-upgrade-to"),
        pytest.param({"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AA"}, id="http2"),
    ],
)
def test_an_upgrade_to_anything_else_is_none(gateway: GatewayProcess, headers: dict[str, str]) -> None:
    assert ask(gateway, "GET", "/chunks", headers=headers).content == b"onetwo"


def test_an_answer_without_a_type_gets_none(gateway: GatewayProcess) -> None:
    """A browser would obey it, and save the page instead of showing it."""
    answer = ask(gateway, "GET", "/chunks")
    assert answer.headers.get("Content-Type") is None


def test_options_are_passed_on(gateway: GatewayProcess) -> None:
    answer = ask(gateway, "OPTIONS", "/")
    assert (answer.status_code, answer.headers["Allow"], answer.content) == (204, "GET", b"")


def test_a_body_that_waits_to_be_asked_for_is_asked_for(gateway: GatewayProcess) -> None:
    with connected(gateway.port) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert client.read_head() == "HTTP/1.1 100 Continue\r\n"
        client.send(b"abc")
        assert client.read_head().startswith("HTTP/1.1 201 ")


def test_viewer_who_leaves_within_a_request_is_not_the_hosts_fault(tmp_path: Path, payments: StandIn) -> None:
    """The game host's connection is closed, and nothing is logged."""
    with raw_hosting() as host, running_gateway(tmp_path, payments.url, host.at) as gateway:
        with connected(gateway.port) as client:
            client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc")
            with host.accept() as theirs:
                theirs.read_head()
                assert theirs.take(3) == b"abc"
                client.reset()
                assert theirs.rest() == b""
        until(lambda: gateway.metrics()['ps_gateway_pages_total{code="4xx"}'] == 1)
        assert gateway.messages("WARNING") == []


def test_an_answer_that_breaks_off_breaks_off(gateway: GatewayProcess) -> None:
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        ask(gateway, "GET", "/half")


def test_a_viewer_of_http_1_0_learns_that_an_answer_has_broken_off(gateway: GatewayProcess) -> None:
    """HTTP/1.0 has no chunks: an orderly close would mark the end of the page."""
    with connected(gateway.port) as viewer:
        viewer.send(b"GET /half-chunked HTTP/1.0\r\nHost: x\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            viewer.take(100_000)


def test_host_that_answers_no_page_is_a_502(tmp_path: Path, payments: StandIn) -> None:
    answers = [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 101 Switching Protocols\r\n\r\n", b"HTTP/1.1 099 Odd\r\n\r\n"]
    said = []
    with raw_hosting() as host, running_gateway(tmp_path, payments.url, host.at) as gateway:
        for answer in answers:
            with connected(gateway.port) as client:
                client.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                with host.accept() as theirs:
                    theirs.read_head()
                    theirs.send(answer)
                    assert client.read_head().startswith("HTTP/1.1 502 ")
                    said.append(client.rest().decode())
    assert said == [
        "what it answers is no sound HTTP\n",
        "it answers 101 to a plain request\n",
        "it answers 99 to a plain request\n",
    ]


def test_pieces_are_passed_on_when_they_come(tmp_path: Path, payments: StandIn) -> None:
    with raw_hosting() as host, running_gateway(tmp_path, payments.url, host.at) as gateway:
        with connected(gateway.port) as client:
            client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            with host.accept() as theirs:
                theirs.read_head()
                theirs.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
                assert client.read_head().startswith("HTTP/1.1 200 ")
                assert client.take(10) == b"5\r\nfirst\r\n"
        # When the client leaves midway, the game host notices.
        with connected(gateway.port) as client:
            client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            with host.accept() as theirs:
                theirs.read_head()
                theirs.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + bytes(1000))
                client.read_head()
                client.reset()
                with pytest.raises(ConnectionError):
                    theirs.send(bytes(100 << 20))


def test_a_large_answer_that_nobody_takes_is_not_held_in_memory(tmp_path: Path, payments: StandIn) -> None:
    with (
        raw_hosting() as host,
        running_gateway(tmp_path, payments.url, host.at) as gateway,
        connected(gateway.port, receive_bytes=65536) as client,
    ):
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        with host.accept() as theirs:
            theirs.read_head()
            before_bytes = gateway.memory_bytes()
            theirs.socket.settimeout(0.5)
            with pytest.raises(TimeoutError):
                theirs.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + bytes(100 << 20))
            assert gateway.memory_bytes() - before_bytes < 10 << 20


def test_a_game_host_that_is_not_there_is_a_502(tmp_path: Path, payments: StandIn) -> None:
    with running_gateway(tmp_path, payments.url, f"127.0.0.1:{free_port()}") as gateway:
        assert ask(gateway, "GET", "/").status_code == 502
        assert ask(gateway, "POST", "/", data=b"x" * 100_000).status_code == 502
        (line,) = gateway.messages("WARNING")
        assert line.endswith(": the game host serves no pages: no connection (Connection refused)")
        until(lambda: gateway.metrics()['ps_gateway_pages_total{code="5xx"}'] == 2)


CHUNKED = b"Transfer-Encoding: chunked\r\n"
BAD_HEADERS = {
    "length-and-chunks": b"Content-Length: 3\r\n" + CHUNKED,
    "two-lengths": b"Content-Length: 3\r\nContent-Length: 4\r\n",
    "signed-length": b"Content-Length: +3\r\n",
    "list-of-lengths": b"Content-Length: 3, 3\r\n",
    "unknown-coding": b"Transfer-Encoding: xchunked\r\n",
    "coding-behind-chunks": b"Transfer-Encoding: chunked, identity\r\n",
    "two-codings": CHUNKED + CHUNKED,
    "space-before-colon": b"Transfer-Encoding : chunked\r\n",
    "folded-line": b"X: a\r\n b\r\n",
    "nul-in-a-name": b"X\x00: a\r\n",
    "nul-in-a-value": b"X: a\x00b\r\n",
    "bare-cr": b"X: a\rb\r\n",
    "no-colon": b"no colon\r\n",
    "huge-header": b"X: " + b"a" * 40_000 + b"\r\n",
    "many-headers": b"X: a\r\n" * 2000,
}
BAD_LINES = {
    "another-server": b"GET http://192.0.2.1/ HTTP/1.1",
    "connect": b"CONNECT 192.0.2.1:80 HTTP/1.1",
    "trace": b"TRACE / HTTP/1.1",
    "asterisk": b"OPTIONS * HTTP/1.1",
    "another-version": b"GET / HTTP/9.9",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "huge-path": b"GET /" + b"a" * 40_000 + b" HTTP/1.1",
}
BAD_REQUESTS = {
    **{name: b"POST / HTTP/1.1\r\nHost: x\r\n" + each + b"\r\n0\r\n\r\n" for name, each in BAD_HEADERS.items()},
    **{name: each + b"\r\nHost: x\r\n\r\n" for name, each in BAD_LINES.items()},
}


@pytest.fixture(scope="module")
def silent_host() -> Iterator[RawHost]:
    with raw_hosting() as running:
        yield running


@pytest.fixture(scope="module")
def guarding(
    tmp_path_factory: pytest.TempPathFactory, silent_host: RawHost, payments: StandIn
) -> Iterator[GatewayProcess]:
    with running_gateway(tmp_path_factory.mktemp("edge"), payments.url, silent_host.at) as running:
        yield running


@pytest.mark.parametrize("name", BAD_REQUESTS)
def test_ambiguous_request_is_refused(guarding: GatewayProcess, silent_host: RawHost, name: str) -> None:
    """The answer is 400, the connection is closed, and the game host is not asked."""
    with connected(guarding.port) as client:
        client.send(BAD_REQUESTS[name] + b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
        head = client.read_head()
        assert head[:10] in ("HTTP/1.1 4", "HTTP/1.0 4"), head
        assert b"HTTP/1.1 200" not in client.rest()
    silent_host.listening.settimeout(0.01)
    with pytest.raises(TimeoutError):
        silent_host.accept()


def test_nothing_of_that_is_an_error_in_the_log(guarding: GatewayProcess) -> None:
    assert [each for each in guarding.logged() if each["level"] != "INFO"] == []


@pytest.mark.parametrize(
    ("raw_path", "host"),
    [
        (b"/%00%0d%0aX:%20y", b"x"),
        (b"/\xff\xfe", b"x"),
        (b"/a#b", b"x"),
        (b"//192.0.2.1/", b"x"),
        (b"/\\..\\", b"[::1]:80"),
        (b"/?[]{}|^`<>\"'", b"xn--"),
        (b"/", b"a,b"),
    ],
)
def test_odd_paths_are_passed_on_or_refused_and_never_a_defect(
    gateway: GatewayProcess, raw_path: bytes, host: bytes
) -> None:
    with connected(gateway.port) as client:
        client.send(b"GET " + raw_path + b" HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
        assert client.read_head()[9:12] in ("400", "404")


def test_a_slow_head_is_not_waited_for_long(slow_head: tuple[RawPeer, float]) -> None:
    """A byte now and then does not keep a connection open."""
    client, begun_s = slow_head
    assert client.rest() == b""
    assert time.monotonic() - begun_s < 35
