"""When one side ends the connection, the other side sees the same end, and the session ends."""

import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.edge.gateway.gateways import GatewayProcess, running_gateway
from tests.edge.gateway.hosts import RawHost, joined, raw_hosting
from tests.edge.gateway.raw import BINARY, CLOSE, CONTINUED, PING, TEXT, RawFrame, RawPeer, frame
from tests.edge.gateway.reports import Watch
from tests.edge.stand_in import StandIn
from tests.harness import until


class Pair(NamedTuple):
    """A viewer, their connection at the host, and the sessions that begin from now on."""

    viewer: RawPeer
    host: RawPeer
    watch: Watch

    def ends(self, by: str) -> tuple[RawPeer, RawPeer]:
        """The side that ``by`` names, then the other."""
        return (self.viewer, self.host) if by == "viewer" else (self.host, self.viewer)


@pytest.fixture(scope="module")
def raw_host() -> Iterator[RawHost]:
    with raw_hosting() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, raw_host: RawHost, payments: StandIn) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("edge")
    with running_gateway(folder, payments.url, raw_host.at, PS_GATEWAY_MAX_MESSAGE_BYTES="4096") as running:
        yield running


@pytest.fixture
def pair(gateway: GatewayProcess, raw_host: RawHost, payments: StandIn) -> Iterator[Pair]:
    watch = Watch(payments)
    with joined(gateway.port, raw_host) as (viewer, host):
        yield Pair(viewer, host, watch)


def closed(code: int | None, reason: str = "") -> RawFrame:
    return RawFrame(0x80 | CLOSE, b"" if code is None else struct.pack(">H", code) + reason.encode())


BOTH_WAYS = pytest.mark.parametrize("by", ["viewer", "host"])


@BOTH_WAYS
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        pytest.param(None, "", id="no-code"),
        *(pytest.param(code, "", id=str(code)) for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011)),
        *(pytest.param(code, "", id=str(code)) for code in (1012, 1013, 1014, 3000, 3999, 4000, 4999)),
        pytest.param(1000, "Straße zu Ende", id="with-a-reason"),
        pytest.param(4001, "x" * 123, id="with-the-longest-reason"),
    ],
)
def test_code_and_reason_of_a_close_reach_the_other_side(pair: Pair, by: str, code: int | None, reason: str) -> None:
    one, other = pair.ends(by)
    one.close(code, reason.encode())
    assert other.hear() == closed(code, reason)
    assert one.hear() == closed(code)
    other.close(code)
    assert (one.hear(), other.hear()) == (None, None)


@BOTH_WAYS
def test_messages_before_a_close_arrive_before_it(pair: Pair, by: str) -> None:
    one, other = pair.ends(by)
    is_masked = by == "viewer"
    words = [frame(0x80 | TEXT, str(number).encode(), is_masked=is_masked) for number in range(300)]
    one.send(b"".join([*words, frame(0x80 | CLOSE, struct.pack(">H", 4000), is_masked=is_masked)]))
    for number in range(300):
        assert other.hear() == RawFrame(0x80 | TEXT, str(number).encode())
    assert other.hear() == closed(4000)


@BOTH_WAYS
@pytest.mark.parametrize("how", ["reset", "fin"])
def test_an_end_without_a_close_is_one_on_the_other_side(pair: Pair, by: str, how: str) -> None:
    """Both sides see 1006."""
    one, other = pair.ends(by)
    one.say(BINARY, b"last words")
    assert other.hear() == RawFrame(0x80 | BINARY, b"last words")
    if how == "reset":
        one.reset()
    else:
        one.socket.close()
    assert other.hear() is None
    assert pair.watch.ended()[0][-1]["event"] == "end"


@BOTH_WAYS
@pytest.mark.parametrize(
    ("frames", "code"),
    [
        pytest.param([(0x83, b"")], 1002, id="unknown-opcode"),
        pytest.param([(0xC1, b"x")], 1002, id="reserved-bit"),
        pytest.param([(0x80 | CONTINUED, b"x")], 1002, id="continues-nothing"),
        pytest.param([(TEXT, b"x"), (0x80 | TEXT, b"y")], 1002, id="begins-anew-in-the-middle"),
        pytest.param([(PING, b"")], 1002, id="ping-in-fragments"),
        pytest.param([(0x80 | PING, b"x" * 126)], 1002, id="ping-too-long"),
        pytest.param([(0x80 | CLOSE, b"\x03")], 1002, id="close-of-one-byte"),
        *(
            pytest.param([(0x80 | CLOSE, struct.pack(">H", code))], 1002, id=f"close-{code}")
            for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535)
        ),
        pytest.param([(0x80 | CLOSE, b"\x03\xe8\xff")], 1007, id="reason-not-utf8"),
        pytest.param([(0x80 | TEXT, b"\xff")], 1007, id="text-not-utf8"),
        pytest.param([(0x80 | TEXT, b"\xed\xa0\x80")], 1007, id="text-with-a-surrogate"),
        pytest.param([(TEXT, b"\xc4"), (0x80 | CONTINUED, b"x")], 1007, id="text-cut-in-a-letter"),
        pytest.param([(0x80 | BINARY, b"x" * 4097)], 1009, id="too-large"),
        pytest.param([(BINARY, b"x" * 4000), (0x80 | CONTINUED, b"x" * 97)], 1009, id="too-large-in-fragments"),
    ],
)
def test_what_is_not_allowed_ends_it(pair: Pair, by: str, frames: list[tuple[int, bytes]], code: int) -> None:
    """The offender is told why; the other side is told that it is gone."""
    one, other = pair.ends(by)
    for first, payload in frames:
        one.say(0, payload, first=first)
    # A heartbeat, and a ping before it, may be due just now.
    heard, told = (each.hear_of(TEXT, BINARY, CLOSE) for each in (one, other))
    assert heard is not None
    assert told is not None
    assert (heard.opcode, heard.payload[:2]) == (CLOSE, struct.pack(">H", code))
    assert told == closed(1001 if by == "viewer" else 1011)
    other.close(1000)


@BOTH_WAYS
def test_the_largest_message_passes(pair: Pair, by: str) -> None:
    one, other = pair.ends(by)
    one.say(BINARY, b"x" * 4096)
    assert other.hear() == RawFrame(0x80 | BINARY, b"x" * 4096)


def test_one_who_floods_with_what_is_not_allowed_is_told_so(pair: Pair) -> None:
    """The connection is not reset, which would lose the reason."""
    head = struct.pack(">BBQ", 0x82, 0x80 | 127, 1 << 40) + b"mask"
    pair.viewer.send(head)
    heard = pair.viewer.hear()
    pair.viewer.send(b"x" * (1 << 20))
    assert heard is not None
    assert heard.payload[:2] == struct.pack(">H", 1009)


def test_no_ping_follows_a_close(tmp_path: Path, raw_host: RawHost, payments: StandIn) -> None:
    """The gateway has sent its end of the stream, and lingers for some seconds."""
    with running_gateway(tmp_path, payments.url, raw_host.at, PS_GATEWAY_PING_SECONDS="1") as gateway:
        with joined(gateway.port, raw_host) as (viewer, _):
            viewer.say(TEXT, first=0xC0 | TEXT)
            assert viewer.hear_of(CLOSE) is not None
            assert viewer.hear() is None
            until(lambda: gateway.metrics()["ps_gateway_viewers"] == 0, 10)
        assert gateway.messages("ERROR") == []


def test_a_close_that_is_never_answered_is_waited_for_and_no_longer(pair: Pair) -> None:
    """The session ends at once."""
    pair.viewer.close(1000)
    assert pair.watch.ended()[0][-1]["event"] == "end"
    assert pair.host.hear() == closed(1000)
    assert pair.host.hear() is None


def test_ends_are_counted_by_whose_doing_they_were(tmp_path: Path, payments: StandIn) -> None:
    with raw_hosting() as host, running_gateway(tmp_path, payments.url, host.at) as gateway:
        for who, how in (("viewer", "closed"), ("host", "closed"), ("viewer", "aborted"), ("host", "illegal")):
            with joined(gateway.port, host) as (viewer, theirs):
                one, other = (viewer, theirs) if who == "viewer" else (theirs, viewer)
                if how == "closed":
                    one.close(1000)
                elif how == "illegal":
                    one.say(3)
                else:
                    one.reset()
                other.hear()
        counted = {
            'ps_gateway_disconnections_total{by="viewer",how="closed"}': 1,
            'ps_gateway_disconnections_total{by="upstream",how="closed"}': 1,
            'ps_gateway_disconnections_total{by="viewer",how="aborted"}': 1,
            'ps_gateway_disconnections_total{by="upstream",how="illegal"}': 1,
            "ps_gateway_viewers": 0,
            "ps_gateway_reporter_sessions_open": 0,
        }
        until(lambda: counted.items() <= gateway.metrics().items(), 10)
        left = [each for each in gateway.logged() if each["message"] == "a viewer has left"]
        assert [(each["by"], each["how"], each["code"]) for each in left] == [
            ("viewer", "closed", 1000),
            ("upstream", "closed", 1000),
            ("viewer", "aborted", None),
            ("upstream", "illegal", 1002),
        ]


def test_no_message_of_either_side_causes_a_defect(
    gateway: GatewayProcess, raw_host: RawHost, payments: StandIn
) -> None:
    """After random bytes and frames, the connection ends sooner or later, and is counted and reported as ended."""
    chance = random.Random(11)
    watch = Watch(payments)
    rounds = 40
    for number in range(rounds):
        with joined(gateway.port, raw_host) as (viewer, host):
            one = viewer if number % 2 else host
            if number % 3:
                said = chance.randbytes(chance.randrange(1, 300))
            else:
                said = b"".join(
                    frame(chance.randrange(256), chance.randbytes(chance.randrange(140)), is_masked=one is viewer)
                    for _ in range(chance.randrange(1, 9))
                )
            one.send(said)
    watch.ended(rounds)
    assert gateway.messages("ERROR") == []
    until(lambda: gateway.metrics()["ps_gateway_viewers"] == 0, 10)
