"""The gateway behind nginx, with the configuration in payments/edge/README.rst."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

import pytest
import requests
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.deploy.proxy import MAIN, nginx, substituted
from tests.edge.gateway.gateways import GatewayProcess, running_gateway
from tests.edge.gateway.hosts import hosting, raw_hosting
from tests.edge.gateway.raw import accepted, asking, connected, header
from tests.edge.gateway.reports import Watch
from tests.edge.stand_in import StandIn
from tests.harness import end, free_port, until
from tests.readme import section


@contextmanager
def in_front(folder: Path, gateway: GatewayProcess) -> Iterator[int]:
    """nginx with the configuration in payments/edge/README.rst; its port."""
    said = section("payments/edge/README.rst", "TLS")
    lines = re.search(r"^    location / \{\n(?:        .+\n)+    \}\n", said, re.MULTILINE)
    assert lines is not None
    port = free_port()
    place = substituted(dedent(lines[0]), {"127.0.0.1:8080": f"127.0.0.1:{gateway.port}"})
    (folder / "site.conf").write_text(f"server {{\nlisten 127.0.0.1:{port};\n{place}}}\n")
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder, user="user root;\n" if os.geteuid() == 0 else ""))
    command = [nginx(), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "errors.log")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: _listens(port))
        yield port
    finally:
        end(process)


def _listens(port: int) -> bool:
    try:
        connected(port).reset()
    except ConnectionRefusedError:
        return False
    return True


def test_sockets_pages_and_refusals_come_through(tmp_path: Path, payments: StandIn) -> None:
    watch = Watch(payments)
    with (
        hosting(subprotocols=[Subprotocol("a")]) as host,
        running_gateway(tmp_path, payments.url, host.at, PS_GATEWAY_BEHIND_PROXY="true") as gateway,
        in_front(tmp_path, gateway) as port,
    ):
        with connect(f"ws://127.0.0.1:{port}/x?y", subprotocols=[Subprotocol("a")], compression=None) as viewer:
            assert viewer.subprotocol == "a"
            viewer.send("hello")
            assert viewer.recv(timeout=10) == "hello"
            theirs = host.connections.get(timeout=10)
            theirs.close(4321, "bye")
            with pytest.raises(ConnectionClosed) as caught:
                viewer.recv(timeout=10)
        assert caught.value.rcvd is not None
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4321, "bye")
        assert watch.ended()[0][0]["upstream_port"] == host.port
        # This game host's answer to a plain request.
        assert requests.get(f"http://127.0.0.1:{port}/", timeout=10).status_code == 426
        with pytest.raises(InvalidStatus):
            connect(f"ws://127.0.0.1:{port}/")


def test_game_host_learns_the_viewers_address(tmp_path: Path, payments: StandIn) -> None:
    with (
        raw_hosting() as host,
        running_gateway(tmp_path, payments.url, host.at, PS_GATEWAY_BEHIND_PROXY="true") as gateway,
        in_front(tmp_path, gateway) as port,
        connected(port) as viewer,
    ):
        viewer.send(asking(Host="play.example.org", X_Forwarded_For="192.0.2.66", X_Forwarded_Proto="https"))
        with host.accept() as theirs:
            head = theirs.read_head()
            theirs.send(accepted(head))
            assert viewer.read_head().startswith("HTTP/1.1 101 ")
        names = ("Host", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host")
        assert [header(head, name) for name in names] == [
            "play.example.org", "127.0.0.1, 127.0.0.1", "http", "play.example.org",
        ]  # fmt: skip
