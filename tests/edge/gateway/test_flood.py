"""A viewer who sends more than the host reads does not disturb others."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.edge.gateway.gateways import GatewayProcess, running_gateway
from tests.edge.gateway.hosts import GameHost, RawHost, hosting, joined, raw_hosting
from tests.edge.gateway.raw import RawPeer, asking, connected, frame
from tests.edge.stand_in import StandIn

MIB = 1 << 20


@contextmanager
def flooded_and_calm(folder: Path, payments: StandIn, flooded: RawHost, calm: GameHost) -> Iterator[GatewayProcess]:
    """A gateway with two game hosts, at ``/flooded`` and ``/calm``."""
    routes = folder / "routes.json"
    both = [{"path": "/flooded", "upstream": flooded.at}, {"path": "/calm", "upstream": calm.at}]
    routes.write_text(json.dumps({"routes": both}))
    with running_gateway(folder, payments.url, PS_GATEWAY_ROUTES_PATH=str(routes)) as gateway:
        yield gateway


def pour(peer: RawPeer, block: bytes, over: threading.Event) -> None:
    """Send ``block`` again and again, as fast as possible."""
    peer.socket.settimeout(0.2)
    while not over.is_set():
        try:
            peer.socket.send(block)
        except TimeoutError:
            continue


def drain(peer: RawPeer) -> None:
    """Read until the connection ends."""
    try:
        while peer.socket.recv(MIB):
            pass
    except OSError:
        pass


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(b"\x82\x81mask\x00" * 20_000, id="tiny-messages"),
        pytest.param(b"\x89\x80mask" * 20_000, id="pings"),
        pytest.param(frame(0x82, bytes(MIB), is_masked=True), id="large-messages"),
    ],
)
def test_others_have_their_answers_in_time(tmp_path: Path, payments: StandIn, block: bytes) -> None:
    over = threading.Event()
    with (
        raw_hosting() as flooded,
        hosting() as calm,
        flooded_and_calm(tmp_path, payments, flooded, calm) as gateway,
    ):
        with (
            joined(gateway.port, flooded, "/flooded") as (flood, theirs),
            connect(f"{gateway.ws_url}/calm", ping_interval=None, compression=None) as viewer,
        ):
            threads = [
                threading.Thread(target=pour, args=[flood, block, over]),
                threading.Thread(target=drain, args=[theirs]),
            ]
            for thread in threads:
                thread.start()
            taken_s = []
            for _ in range(20):
                begun_s = time.monotonic()
                viewer.send("hello")
                assert viewer.recv(timeout=10) == "hello"
                taken_s.append(time.monotonic() - begun_s)
                time.sleep(0.02)
            over.set()
            threads[0].join()
            flood.reset()
            threads[1].join()
        assert sorted(taken_s)[10] < 0.2
        assert gateway.memory_bytes() < 150 * MIB


def test_backpressure_reaches_the_sender(tmp_path: Path, payments: StandIn) -> None:
    """Ten viewers send and their host reads nothing: buffers hold a few megabytes for each."""
    over = threading.Event()
    block = frame(0x82, bytes(MIB), is_masked=True)
    with raw_hosting(receive_bytes=65536) as host, running_gateway(tmp_path, payments.url, host.at) as gateway:
        pairs = []
        for _ in range(10):
            viewer = connected(gateway.port)
            viewer.send(asking())
            pairs.append((viewer, host.accept_viewer()))
            viewer.read_head()
        before_bytes = gateway.memory_bytes()
        threads = [threading.Thread(target=pour, args=[viewer, block, over]) for viewer, _ in pairs]
        for thread in threads:
            thread.start()
        time.sleep(1)
        grown_bytes = gateway.memory_bytes() - before_bytes
        over.set()
        for thread in threads:
            thread.join()
        for pair in pairs:
            for peer in pair:
                peer.reset()
        assert grown_bytes < 10 * 5 * MIB
        assert gateway.metrics()['ps_gateway_messages_total{direction="to_upstream"}'] < 10 * 20
