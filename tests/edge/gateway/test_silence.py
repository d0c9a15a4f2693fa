"""Silent sides are detected, and no others are taken for silent."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.edge.gateway.gateways import GatewayProcess, running_gateway
from tests.edge.gateway.hosts import RawHost, joined, raw_hosting
from tests.edge.gateway.raw import BINARY, CLOSE, PING, PONG, RawFrame, RawPeer, frame
from tests.edge.gateway.reports import Watch
from tests.edge.stand_in import StandIn
from tests.harness import until

pytestmark = pytest.mark.long

SILENT_S = 8 / 3
"""How long a side must be silent to end a link that is pinged every second."""


@pytest.fixture(scope="module")
def raw_host() -> Iterator[RawHost]:
    with raw_hosting(receive_bytes=65536) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, raw_host: RawHost, payments: StandIn) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("edge")
    settings = {"PS_GATEWAY_PING_SECONDS": "1", "PS_GATEWAY_MAX_MESSAGE_BYTES": str(4 << 20)}
    with running_gateway(folder, payments.url, raw_host.at, **settings) as running:
        yield running


def answering(peer: RawPeer) -> threading.Thread:
    """Answer every ping until the connection ends."""

    def answer() -> None:
        with suppress(OSError):
            while (heard := peer.hear()) is not None and heard.opcode != CLOSE:
                if heard.opcode == PING:
                    peer.say(PONG, heard.payload)

    thread = threading.Thread(target=answer)
    thread.start()
    return thread


def moment_s(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["occurred_at"]).timestamp()


def found_s(gateway: GatewayProcess, raw_host: RawHost, payments: StandIn, gone: str, is_talked_to: bool) -> float:
    """Seconds until the other side is told that a silent side is gone.

    ``is_talked_to``: the other side sends messages. That proves nothing: the kernel buffers them.
    """
    watch = Watch(payments)
    with joined(gateway.port, raw_host) as (viewer, theirs):
        one, other = (viewer, theirs) if gone == "viewer" else (theirs, viewer)
        one.say(BINARY, b"last words")
        last_s = time.time()
        heard = other.hear_of(BINARY)
        while (heard := other.hear()) is not None and heard.opcode == PING:
            assert time.time() - last_s < 20
            other.say(PONG, heard.payload)
            if is_talked_to:
                other.say(BINARY, b"are you there?")
        passed_s = time.time() - last_s
        other.close(1000)
        (events,) = watch.ended()
    assert heard == RawFrame(0x80 | CLOSE, (1001 if gone == "viewer" else 1011).to_bytes(2, "big"))
    assert abs(moment_s(events[-1]) - last_s) < 0.1
    assert max(moment_s(each) for each in events) == moment_s(events[-1])
    return passed_s


@pytest.mark.parametrize("is_talked_to", [False, True], ids=["alone", "talked-to"])
@pytest.mark.parametrize("gone", ["viewer", "host"])
def test_who_hangs_is_gone_and_the_session_ends_at_the_last_sign_of_life(
    gateway: GatewayProcess, raw_host: RawHost, payments: StandIn, gone: str, is_talked_to: bool
) -> None:
    """Like a lost network or a frozen process: the connection stays open, but nothing is received."""
    most_s = SILENT_S * 45 / 40
    # With a ping every second, a gateway that stalls for a third of a second resets all silences.
    passed_s = next(
        (each for _ in range(6) if (each := found_s(gateway, raw_host, payments, gone, is_talked_to)) <= most_s),
        most_s + 1,
    )
    assert SILENT_S - 0.1 <= passed_s <= most_s


def test_where_one_leaves_no_time_is_claimed_in_which_the_other_one_was_gone(
    tmp_path: Path, raw_host: RawHost, payments: StandIn
) -> None:
    """The game host detects it by its own pings, before the gateway does."""
    watch = Watch(payments)
    with (
        running_gateway(tmp_path, payments.url, raw_host.at, PS_GATEWAY_PING_SECONDS="4") as gateway,
        joined(gateway.port, raw_host) as (viewer, theirs),
    ):
        viewer.say(BINARY, b"last words")
        last_s = time.time()
        thread = answering(theirs)
        time.sleep(2 * 4 + 0.5)
        theirs.close(1000)
        (events,) = watch.ended()
        thread.join()
    assert abs(moment_s(events[-1]) - last_s) < 0.3


def test_side_that_only_answers_pings_stays(gateway: GatewayProcess, raw_host: RawHost, payments: StandIn) -> None:
    """Heartbeats claim nearly all of the time, because pings come just before them."""
    watch = Watch(payments)
    with joined(gateway.port, raw_host) as (viewer, theirs):
        threads = [answering(viewer), answering(theirs)]
        time.sleep(2 * SILENT_S)
        (events,) = watch.begun()
        now_s = time.time()
        assert now_s - moment_s(events[-1]) < 3
        viewer.close(1000)
        for thread in threads:
            thread.join()
    (events,) = watch.ended()
    assert [each["event"] for each in events[:2]] == ["start", "heartbeat"]
    assert moment_s(events[-1]) - now_s < 0.5


def test_every_heartbeat_of_a_viewer_who_says_nothing_claims_nearly_all_of_the_time(
    tmp_path: Path, raw_host: RawHost, payments: StandIn
) -> None:
    """This holds for the first heartbeat too, so a kill never costs much more than the interval."""
    settings = {"PAYMENTS_SESSION_HEARTBEAT_SECONDS": "6", "PS_GATEWAY_PING_SECONDS": "4"}
    heartbeat_interval_s, ahead_s = 3.5, 1.4
    watch = Watch(payments)
    with running_gateway(tmp_path, payments.url, raw_host.at, **settings) as gateway, ExitStack() as opened:
        threads = []
        for _ in range(8):
            both = opened.enter_context(joined(gateway.port, raw_host))
            threads += [answering(each) for each in both]
        time.sleep(2 * heartbeat_interval_s + 1)
        # On a busy machine the last may still be on its way; the next, which could replace it, is not due yet.
        until(lambda: all(len(events) > 2 for events in watch.begun(8)), timeout_s=2)
        found = watch.begun(8)
        assert gateway.stop() == 0
        for thread in threads:
            thread.join()
    for start, *beats in found:
        first_s = heartbeat_interval_s * (UUID(start["session_id"]).int % 4096 + 1) / 4096
        assert len(beats) >= 2
        for number, beat in enumerate(beats):
            due_s = moment_s(start) + first_s + number * heartbeat_interval_s
            assert due_s - moment_s(beat) < ahead_s + 0.4


def test_nobody_is_gone_because_the_gateway_has_slept(
    gateway: GatewayProcess, raw_host: RawHost, payments: StandIn
) -> None:
    """It sent no pings meanwhile, so nobody answered."""
    watch = Watch(payments)
    with joined(gateway.port, raw_host) as (viewer, theirs):
        threads = [answering(viewer), answering(theirs)]
        watch.begun()
        gateway.process.send_signal(signal.SIGSTOP)
        time.sleep(1.3 * SILENT_S)
        gateway.process.send_signal(signal.SIGCONT)
        time.sleep(0.5)
        left_s = time.time()
        viewer.close(1000)
        for thread in threads:
            thread.join()
    (events,) = watch.ended()
    assert abs(moment_s(events[-1]) - left_s) < 0.3


def test_side_that_sends_but_never_answers_pings_stays(gateway: GatewayProcess, raw_host: RawHost) -> None:
    with joined(gateway.port, raw_host) as (viewer, theirs):
        end_s = time.monotonic() + 1.5 * SILENT_S
        while time.monotonic() < end_s:
            viewer.say(BINARY, b"x")
            theirs.say(BINARY, b"y")
            assert (theirs.hear_of(BINARY, CLOSE), viewer.hear_of(BINARY, CLOSE)) == (
                RawFrame(0x82, b"x"),
                RawFrame(0x82, b"y"),
            )
            time.sleep(0.2)


def test_a_slow_reader_is_not_considered_gone_nor_is_the_side_that_waits_for_it(
    gateway: GatewayProcess, raw_host: RawHost
) -> None:
    """Pings, pongs and the viewer's next message are stuck behind earlier data for longer than a silence."""
    much = frame(0x82, bytes(4 << 20), is_masked=True) * 10
    with joined(gateway.port, raw_host) as (viewer, theirs):
        viewer.socket.settimeout(2.5 * SILENT_S)
        sending = threading.Thread(target=with_patience, args=[viewer, much])
        sending.start()
        while sending.is_alive():
            theirs.take(200_000)
            time.sleep(0.2)
        assert gateway.metrics()["ps_gateway_viewers"] == 1


def with_patience(peer: RawPeer, data: bytes) -> None:
    """Send as much of ``data`` as possible in time."""
    with pytest.raises(TimeoutError):
        peer.send(data)


def test_a_game_host_that_takes_nothing_more_is_gone(
    gateway: GatewayProcess, raw_host: RawHost, payments: StandIn
) -> None:
    """The viewer, who is blocked by it, learns that from the close."""
    watch = Watch(payments)
    with joined(gateway.port, raw_host) as (viewer, _):
        viewer.socket.settimeout(0.2)
        with_patience(viewer, frame(0x82, bytes(1 << 20), is_masked=True) * 40)
        viewer.socket.settimeout(10)
        heard = viewer.hear_of(CLOSE)
        assert heard is not None
        assert heard.payload[:2] == (1011).to_bytes(2, "big")
    watch.ended()


def test_two_sides_that_send_but_read_nothing_are_not_waited_for_for_ever(
    gateway: GatewayProcess, raw_host: RawHost, payments: StandIn
) -> None:
    """Each side could excuse the other: its messages wait until the other reads something."""
    watch = Watch(payments)
    much = frame(0x82, bytes(1 << 20), is_masked=True) * 20
    with joined(gateway.port, raw_host, receive_bytes=65536) as (viewer, theirs):
        for peer in (viewer, theirs):
            peer.socket.settimeout(0.2)
        with_patience(viewer, much)
        with_patience(theirs, frame(0x82, bytes(1 << 20), is_masked=False) * 20)
        watch.ended(timeout_s=4 * SILENT_S)
