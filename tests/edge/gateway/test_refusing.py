"""Refused viewers: the answer that they get, and that nothing is reported of them."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from payments.domain.sessions import END
from tests.edge.gateway.gateways import GatewayProcess, running_gateway
from tests.edge.gateway.hosts import GameHost, RawHost, hosting, raw_hosting
from tests.edge.gateway.raw import RawPeer, accepted, asking, connected, header
from tests.edge.gateway.reports import Watch
from tests.edge.stand_in import StandIn
from tests.harness import free_port, until

Answer = Callable[[RawPeer], None]


def saying(text: bytes) -> Answer:
    """A host that sends this answer and closes the connection."""

    def answer(peer: RawPeer) -> None:
        peer.read_head()
        peer.send(text)
        peer.socket.shutdown(socket.SHUT_WR)

    return answer


def granting(**headers: str) -> Answer:
    """A host that accepts a WebSocket with wrong headers."""

    def answer(peer: RawPeer) -> None:
        peer.send(accepted(peer.read_head(), **headers))

    return answer


@pytest.fixture(scope="module")
def raw_host() -> Iterator[RawHost]:
    with raw_hosting() as running:
        yield running


@pytest.fixture(scope="module")
def host() -> Iterator[GameHost]:
    with hosting() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, raw_host: RawHost, host: GameHost, payments: StandIn
) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("edge")
    routes = [
        {"path": "/raw", "upstream": raw_host.at},
        {"path": "/host", "upstream": host.at},
        {"path": "/closed", "upstream": f"127.0.0.1:{free_port()}"},
        {"path": "/nameless", "upstream": "no-such-host.invalid:8888"},
    ]
    (folder / "routes.json").write_text(json.dumps({"routes": routes}))
    with running_gateway(
        folder, payments.url, PS_GATEWAY_ROUTES_PATH=str(folder / "routes.json"), PS_GATEWAY_MAX_VIEWERS="2"
    ) as running:
        yield running


def refused(gateway: GatewayProcess, path: str, body: str = "", **headers: str) -> str:
    """The head of the answer to a refused viewer, whatever ``body`` they have yet to send."""
    with connected(gateway.port) as viewer:
        viewer.send(asking(path, **headers))
        head = viewer.read_head()
        assert header(head, "Connection") == "close"
        viewer.send(body.encode())
        viewer.rest()
        return head


def check_nothing_was_reported(gateway: GatewayProcess, watch: Watch, host: GameHost) -> None:
    """Events keep their order: once a new viewer's end is known, so is everything before."""
    name = str(uuid4())
    with connect(f"{gateway.ws_url}/host") as viewer:
        viewer.send(json.dumps({"type": "subscribe", "streamerId": name}))
        viewer.recv()
    until(lambda: any(events[-1]["event"] == END and events[-1].get("streamer_id") == name for events in watch.new))
    assert [events for events in watch.new if events[0]["upstream_port"] != host.port] == []


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), id="a-page"),
        pytest.param(saying(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), id="403"),
        pytest.param(saying(b"HTTP/1.1 500 Oh\r\n\r\n"), id="500"),
        pytest.param(saying(b"SSH-2.0-OpenSSH_9.2\r\n"), id="no-http"),
        pytest.param(saying(b""), id="nothing"),
        pytest.param(saying(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"), id="half-an-upgrade"),
        pytest.param(granting(Sec_WebSocket_Accept="s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), id="wrong-key"),
        pytest.param(granting(Upgrade="h2c"), id="another-protocol"),
        pytest.param(granting(Sec_WebSocket_Extensions="permessage-deflate"), id="extension-not-asked-for"),
        pytest.param(granting(Sec_WebSocket_Protocol="chat"), id="subprotocol-not-asked-for"),
        pytest.param(lambda peer: peer.reset(), id="reset"),
    ],
)
def test_a_game_host_that_does_not_grant_it_is_a_502(
    gateway: GatewayProcess, raw_host: RawHost, host: GameHost, payments: StandIn, answer: Answer
) -> None:
    watch = Watch(payments)
    with connected(gateway.port) as viewer:
        viewer.send(asking("/raw"))
        with raw_host.accept() as theirs:
            answer(theirs)
            assert viewer.read_head().startswith("HTTP/1.1 502 ")
            assert b"no-such" not in viewer.rest()
    check_nothing_was_reported(gateway, watch, host)


def test_a_redirect_is_not_followed(gateway: GatewayProcess, raw_host: RawHost, host: GameHost) -> None:
    target = f"HTTP/1.1 302 Found\r\nLocation: http://{host.at}/\r\nContent-Length: 0\r\n\r\n"
    before = host.connections.qsize()
    with connected(gateway.port) as viewer:
        viewer.send(asking("/raw"))
        with raw_host.accept() as theirs:
            saying(target.encode())(theirs)
            assert viewer.read_head().startswith("HTTP/1.1 502 ")
    assert host.connections.qsize() == before


@pytest.mark.parametrize(
    ("path", "status"), [("/closed", 502), ("/nameless", 502), ("/elsewhere", 404), ("/rawhide", 404)]
)
def test_without_a_game_host(
    gateway: GatewayProcess, host: GameHost, payments: StandIn, path: str, status: int
) -> None:
    watch = Watch(payments)
    assert refused(gateway, path).startswith(f"HTTP/1.1 {status} ")
    check_nothing_was_reported(gateway, watch, host)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Sec_WebSocket_Version": "12"}, id="another-version"),
        pytest.param({"Sec_WebSocket_Key": "short"}, id="bad-key"),
        pytest.param({"Sec_WebSocket_Key": ""}, id="no-key"),
        pytest.param({"Sec_WebSocket_Key": "é" * 16}, id="key-not-ascii"),
        pytest.param({"Connection": "close"}, id="no-connection-upgrade"),
        pytest.param({"Sec_WebSocket_Version": "8"}, id="a-draft-of-it"),
        pytest.param({"Content_Length": "5", "body": "hello"}, id="with-a-body"),
        pytest.param({"Transfer_Encoding": "chunked", "body": "0\r\n\r\n"}, id="with-chunks"),
    ],
)
def test_malformed_request_is_a_400(gateway: GatewayProcess, headers: dict[str, str]) -> None:
    head = refused(gateway, "/host", **headers)
    assert head.startswith("HTTP/1.1 400 ")
    assert header(head, "Sec-WebSocket-Version") == "13"


@pytest.mark.parametrize("part", [b"Connection: ", b"Upgrade: web", b"Sec-WebSocket-Key: ", b"Sec-WebSocket-Version: "])
def test_bytes_that_are_no_text_are_a_400_or_no_websocket(gateway: GatewayProcess, part: bytes) -> None:
    with connected(gateway.port) as viewer:
        viewer.send(
            asking("/closed").replace(part, part + b"\xff", 1).replace(b"Connection: \xffUp", b"Connection: \xff")
        )
        assert viewer.read_head()[8:13] in (" 400 ", " 502 ")
    assert gateway.messages("ERROR") == []


def test_http_1_0_knows_no_websockets(gateway: GatewayProcess) -> None:
    with connected(gateway.port) as viewer:
        viewer.send(asking("/host").replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert viewer.read_head().startswith("HTTP/1.0 400 ")


def test_only_a_get_asks_for_a_websocket(gateway: GatewayProcess) -> None:
    with connected(gateway.port) as viewer:
        viewer.send(asking("/host").replace(b"GET", b"POST"))
        assert viewer.read_head().startswith("HTTP/1.1 400 ")


def test_a_game_host_that_hangs_is_a_504(
    gateway: GatewayProcess, raw_host: RawHost, host: GameHost, payments: StandIn
) -> None:
    watch = Watch(payments)
    with connected(gateway.port) as viewer:
        viewer.send(asking("/raw"))
        with raw_host.accept():
            assert viewer.read_head().startswith("HTTP/1.1 504 ")
    check_nothing_was_reported(gateway, watch, host)
    assert any(message.endswith("no answer within 10 s") for message in gateway.messages("WARNING")) or (
        gateway.metrics()['ps_gateway_connections_total{result="timeout"}'] == 1
    )


def test_viewers_above_the_maximum_get_retry_after(gateway: GatewayProcess) -> None:
    with connect(f"{gateway.ws_url}/host"), connect(f"{gateway.ws_url}/host"):
        with pytest.raises(InvalidStatus) as caught:
            connect(f"{gateway.ws_url}/host")
        assert caught.value.response.status_code == 503
        assert caught.value.response.headers["Retry-After"] == "5"
    until(lambda: gateway.metrics()["ps_gateway_viewers"] == 0)
    with connect(f"{gateway.ws_url}/host"):
        pass
    assert gateway.metrics()['ps_gateway_connections_total{result="full"}'] == 1
    assert "PS_GATEWAY_MAX_VIEWERS is reached: 2; others get 503" in gateway.messages("WARNING")


def test_viewer_who_leaves_before_the_game_host_answers_is_not_reported(
    gateway: GatewayProcess, raw_host: RawHost, host: GameHost, payments: StandIn
) -> None:
    watch = Watch(payments)
    before = gateway.metrics()['ps_gateway_connections_total{result="gone"}']
    viewer = connected(gateway.port)
    viewer.send(asking("/raw"))
    with raw_host.accept() as theirs:
        head = theirs.read_head()
        viewer.reset()
        until(lambda: gateway.admin("/healthz").status_code == 200)
        theirs.send(accepted(head))
        assert theirs.hear() is None
    until(lambda: gateway.metrics()['ps_gateway_connections_total{result="gone"}'] == before + 1)
    check_nothing_was_reported(gateway, watch, host)


def test_why_a_game_host_takes_nobody_is_logged_once_and_when_it_does_again(tmp_path: Path, payments: StandIn) -> None:
    port = free_port()
    with running_gateway(tmp_path, payments.url, f"127.0.0.1:{port}") as gateway:
        for _ in range(3):
            assert refused(gateway, "/").startswith("HTTP/1.1 502 ")
        with raw_hosting(port=port) as host:
            granted = threading.Thread(target=lambda: host.accept_viewer().reset())
            granted.start()
            with connected(gateway.port) as viewer:
                viewer.send(asking())
                granted.join()
            until(lambda: len(gateway.messages()) > 2)
        assert gateway.messages("WARNING") == [
            f"127.0.0.1:{port}: the game host takes no viewer: no connection (Connection refused)"
        ]
        assert f"127.0.0.1:{port}: the game host takes viewers again" in gateway.messages("INFO")
