"""Messages pass unchanged in both directions."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import ServerConnection
from websockets.typing import Subprotocol

from tests.edge.gateway.gateways import GatewayProcess, running_gateway
from tests.edge.gateway.hosts import GameHost, hosting, joined, raw_hosting
from tests.edge.gateway.raw import BINARY, CONTINUED, PING, PONG, TEXT, asking, connected, header, viewing
from tests.edge.gateway.reports import Watch
from tests.edge.stand_in import StandIn
from tests.harness import until

MIB = 1 << 20


@pytest.fixture(scope="module")
def host() -> Iterator[GameHost]:
    with hosting(select_subprotocol=chosen_of) as running:
        yield running


def chosen_of(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """The game host chooses, whatever the order of the offers."""
    return next((each for each in (Subprotocol("second"), Subprotocol("first")) if each in offered), None)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, host: GameHost, payments: StandIn) -> Iterator[GatewayProcess]:
    with running_gateway(tmp_path_factory.mktemp("edge"), payments.url, host.at) as running:
        yield running


@pytest.fixture
def viewer(gateway: GatewayProcess) -> Iterator[ClientConnection]:
    with connect(gateway.ws_url, compression=None, ping_interval=None, max_size=MIB) as connection:
        yield connection


def test_messages_of_all_sizes_come_back_to_the_byte_and_in_order(viewer: ClientConnection) -> None:
    chance = random.Random(7)
    sizes = [0, 1, 2, 125, 126, 127, 65535, 65536, MIB - 1, MIB, *(chance.randrange(5000) for _ in range(50))]
    for size in sizes:
        message = chance.randbytes(size)
        viewer.send(message)
        assert viewer.recv(timeout=10) == message
    texts = ["", "plain", "Žluťoučký kůň \U0001f40e\x00\x7f", "ü" * (MIB // 2)]
    for text in texts:
        viewer.send(text)
    assert [viewer.recv(timeout=10) for _ in texts] == texts


def test_many_messages_at_once_are_not_mixed_up(viewer: ClientConnection) -> None:
    for number in range(2000):
        viewer.send(str(number) if number % 3 else number.to_bytes(4, "big"))
    heard = [viewer.recv(timeout=10) for _ in range(2000)]
    assert heard == [str(number) if number % 3 else number.to_bytes(4, "big") for number in range(2000)]


def test_fragments_are_one_message_even_with_a_ping_between_them(viewer: ClientConnection) -> None:
    viewer.send(iter(["čá", "", "st"]))
    assert viewer.recv(timeout=10) == "část"
    viewer.send(iter([b"a" * 70000, b"b", b"c" * 300]))
    assert viewer.recv(timeout=10) == b"a" * 70000 + b"b" + b"c" * 300


def test_a_letter_that_is_cut_by_fragments_is_whole_again(gateway: GatewayProcess) -> None:
    with viewing(gateway.port) as viewer:
        viewer.say(TEXT, "č".encode()[:1], first=TEXT)
        viewer.say(PING, b"between")
        viewer.say(CONTINUED, "č".encode()[1:])
        heard = {viewer.hear_of(TEXT, PONG), viewer.hear_of(TEXT, PONG)}
        assert heard == {(0x80 | TEXT, "č".encode()), (0x80 | PONG, b"between")}


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        pytest.param(["first", "second"], "second", id="the-host-chooses"),
        pytest.param(["third", "first"], "first", id="one-fits"),
    ],
)
def test_subprotocol_is_the_one_that_the_game_host_has_chosen(
    gateway: GatewayProcess, offered: list[str], chosen: str
) -> None:
    protocols = [Subprotocol(each) for each in offered]
    with connect(gateway.ws_url, subprotocols=protocols) as connection:
        assert connection.subprotocol == chosen


def test_offers_in_two_lines_are_offers_too(gateway: GatewayProcess) -> None:
    with connected(gateway.port) as viewer:
        viewer.send(asking(Sec_WebSocket_Protocol="third\r\nSec-WebSocket-Protocol: first"))
        assert header(viewer.read_head(), "Sec-WebSocket-Protocol") == "first"


def test_no_offer_no_subprotocol_and_no_compression(gateway: GatewayProcess, host: GameHost) -> None:
    with connected(gateway.port) as viewer:
        viewer.send(asking(Sec_WebSocket_Extensions="permessage-deflate"))
        head = viewer.read_head()
        assert (header(head, "Sec-WebSocket-Protocol"), header(head, "Sec-WebSocket-Extensions")) == (None, None)


def test_the_game_host_is_asked_as_the_viewer_has_asked(tmp_path: Path, payments: StandIn) -> None:
    with (
        raw_hosting() as host,
        running_gateway(tmp_path, payments.url, host.at) as gateway,
        connected(gateway.port) as viewer,
    ):
        viewer.send(
            asking(
                "/a%20b/c?x=%C3%A9&y",
                Host="play.example.org:8080",
                Origin="http://play.example.org",
                Cookie="a=b",
                User_Agent="Test",
                X_Forwarded_For="192.0.2.66",
                X_Forwarded_Proto="https",
                Forwarded="for=192.0.2.66",
                X_Real_IP="192.0.2.66",
                Connection="Upgrade, X-Secret",
                X_Secret="hop",
                Sec_WebSocket_Protocol="b, a",
                Sec_WebSocket_Extensions="permessage-deflate",
                Accept_Encoding="br",
            )
        )
        asked = host.accept()
        head = asked.read_head()
        names = ("Host", "Origin", "Cookie", "User-Agent", "Accept-Encoding", "X-Forwarded-For", "X-Forwarded-Proto",
                 "X-Forwarded-Host", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol", "Connection", "Forwarded",
                 "X-Real-IP", "X-Secret", "Sec-WebSocket-Extensions", "Accept")  # fmt: skip
        assert head.split("\r\n")[0] == "GET /a%20b/c?x=%C3%A9&y HTTP/1.1"
        assert [header(head, name) for name in names] == [
            "play.example.org:8080", "http://play.example.org", "a=b", "Test", "br", "127.0.0.1", "http",
            "play.example.org:8080", "13", "b,a", "Upgrade", None, None, None, None, None,
        ]  # fmt: skip
        asked.reset()


def test_pings_and_pongs_pass_both_ways(tmp_path: Path, payments: StandIn) -> None:
    """The game host answers a viewer's pings and the other way round; the gateway answers neither."""
    with (
        raw_hosting() as host,
        running_gateway(tmp_path, payments.url, host.at) as gateway,
        joined(gateway.port, host) as (viewer, theirs),
    ):
        for one, other in ((viewer, theirs), (theirs, viewer)):
            one.say(PING, b"")
            one.say(PING, b"x" * 125)
            one.say(PONG, b"nobody asked")
            heard = [other.hear_of(PING, PONG) for _ in range(3)]
            assert heard == [(0x80 | PING, b""), (0x80 | PING, b"x" * 125), (0x80 | PONG, b"nobody asked")]
            other.say(PONG, b"x" * 125)
            assert one.hear_of(PING, PONG) == (0x80 | PONG, b"x" * 125)


def test_own_pings_are_answered_to_the_gateway_and_go_no_further(tmp_path: Path, payments: StandIn) -> None:
    with (
        raw_hosting() as host,
        running_gateway(tmp_path, payments.url, host.at, PS_GATEWAY_PING_SECONDS="1") as gateway,
        joined(gateway.port, host) as (viewer, theirs),
    ):
        for side in (viewer, theirs):
            ping = side.hear()
            assert ping is not None
            assert (ping.opcode, ping.payload[:11]) == (PING, b"ps-gateway ")
            side.say(PONG, ping.payload)
            side.say(BINARY, b"behind")
        assert [viewer.hear_of(PONG, BINARY), theirs.hear_of(PONG, BINARY)] == [(0x80 | BINARY, b"behind")] * 2


def test_streamer_is_taken_from_the_subscribe_message(gateway: GatewayProcess, payments: StandIn) -> None:
    watch = Watch(payments)
    with connect(gateway.ws_url) as viewer:
        for message in (
            '{"type":"listStreamers"}',
            '{"type":"subscribe","streamerId":"First"}',
            '{"type":"unsubscribe"}',
            '{"streamerId": "Straßenkamera 2", "type": "subscribe"}',
            '{"type":"subscribe"}',
            "subscribe",
        ):
            viewer.send(message)
            assert viewer.recv(timeout=10) == message
    (events,) = watch.ended()
    assert (events[0]["event"], events[-1]["event"]) == ("start", "end")
    assert events[-1]["streamer_id"] == "Straßenkamera 2"
    assert {(each["upstream_addr"], each["edge_id"]) for each in events} == {("127.0.0.1", "edge-a")}


def test_a_game_host_that_speaks_first_is_heard(tmp_path: Path, payments: StandIn) -> None:
    with (
        hosting(lambda connection: connection.send("config")) as host,
        running_gateway(tmp_path, payments.url, host.at) as gateway,
        connect(gateway.ws_url) as viewer,
    ):
        assert viewer.recv(timeout=10) == "config"
        until(lambda: gateway.metrics()['ps_gateway_messages_total{direction="to_viewer"}'] == 1)
