"""Payments and the gateway are killed and the network is cut while viewers come and go; their time is exact.

By default there are dozens of viewers and seconds of outage; ``VIEWERS`` and ``OUTAGE_S`` raise that.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from payments.domain.times import format_time
from tests.edge.gateway.campaign import HOSTS, Crowd, Findings, check_stays, crowd, write_routes
from tests.edge.gateway.gateways import GatewayProcess, running_gateway
from tests.edge.gateway.networks import network
from tests.edge.line_processes import raise_file_limit
from tests.edge.reporter_processes import kill_payments
from tests.harness import Server, ended, until

pytestmark = pytest.mark.long

VIEWERS = int(os.environ.get("PAYMENTS_TEST_EDGE_VIEWERS") or 40)
OUTAGE_S = float(os.environ.get("PAYMENTS_TEST_EDGE_OUTAGE_SECONDS") or 4)
HEARTBEAT_S = int(os.environ.get("PAYMENTS_TEST_EDGE_HEARTBEAT_SECONDS") or 1)
STAY_S = max(4.0, VIEWERS / 25)
"""How long a viewer stays on average: ten to 25 come and go each second."""


class Scene:
    """Viewers, hosts, and a gateway between them that reports to Payments."""

    def __init__(self, people: Crowd, gateway: GatewayProcess) -> None:
        self.people = people
        self.gateway = gateway
        self.kills_ms: list[float] = []

    def kill_gateway(self) -> None:
        self.kills_ms.append(time.time() * 1000)
        self.gateway.kill()

    def all_come(self) -> None:
        self.people.come(VIEWERS, self.gateway.ws_url, STAY_S)
        self.all_are_here()

    def all_are_here(self) -> None:
        """Wait until nearly all viewers are connected: some are just leaving or coming."""
        until(lambda: self.people.here >= VIEWERS * 3 // 4, pause_s=0.05)

    def is_told_of_now(self, server: Server) -> None:
        """Wait until Payments knows a new viewer, and so everything before: events keep their order."""
        since = format_time(round(time.time() * 1000))

        def newest() -> bool:
            sessions = server.get("/api/sessions", limit=1)["sessions"]
            return bool(sessions) and sessions[0]["started_at"] > since

        until(newest, timeout_s=120, pause_s=0.1)

    def all_leave(self, server: Server) -> Findings:
        """Judge all stays by what Payments credited."""
        stays = self.people.leave()
        assert self.gateway.stop(timeout_s=150) == 0
        findings = check_stays(server, stays, self.kills_ms, HEARTBEAT_S, self.people.lag_ms)
        sys.stdout.write(f"{VIEWERS} viewers, {OUTAGE_S:g} s: {findings}\n")
        return findings


@contextmanager
def scene(folder: Path, server: Server, api_url: str | None = None) -> Iterator[Scene]:
    """Two hosts that earn, without viewers yet."""
    raise_file_limit()
    settings = {
        "PAYMENTS_SESSION_HEARTBEAT_SECONDS": str(HEARTBEAT_S),
        "PS_GATEWAY_ROUTES_PATH": str(folder / "routes.json"),
        "PS_GATEWAY_DRAIN_SECONDS": "120",
    }
    with crowd(folder) as people:
        for address, orchestrator_id in HOSTS.items():
            server.register(orchestrator_id, address)
        write_routes(folder / "routes.json", people.ports)
        with running_gateway(folder, api_url or server.url, **settings) as gateway:
            yield Scene(people, gateway)


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def test_payments_killed_and_brought_back_costs_no_viewer_more_than_50_ms(tmp_path: Path, server: Server) -> None:
    with ended(server), scene(tmp_path, server) as play:
        play.all_come()
        kill_payments(server)
        time.sleep(OUTAGE_S)
        play.all_are_here()
        server.start()
        play.is_told_of_now(server)
        findings = play.all_leave(server)
        assert findings.cut == 0
        assert findings.quick_off_ms <= 50
        assert play.people.failures == {}


def test_the_gateway_killed_and_brought_back_costs_no_viewer_more_than_a_heartbeat(
    tmp_path: Path, server: Server
) -> None:
    with ended(server), scene(tmp_path, server) as play:
        play.all_come()
        # At most a heartbeat may be lost, so sessions must be longer than that.
        time.sleep(3 * HEARTBEAT_S)
        play.is_told_of_now(server)
        play.kill_gateway()
        time.sleep(OUTAGE_S / 2)
        # Kill it again once it has loaded what the first one left and viewers are back.
        play.gateway.start()
        play.all_are_here()
        play.kill_gateway()
        play.gateway.start()
        play.all_are_here()
        play.is_told_of_now(server)
        findings = play.all_leave(server)
        assert findings.cut >= VIEWERS
        assert findings.quick_off_ms <= 50


def test_a_network_cut_and_restored_costs_no_viewer_more_than_50_ms(tmp_path: Path) -> None:
    with network(tmp_path) as wire, scene(tmp_path, wire.server, wire.url) as play:
        play.all_come()
        play.is_told_of_now(wire.server)
        wire.cut()
        time.sleep(OUTAGE_S)
        play.all_are_here()
        wire.mend()
        play.is_told_of_now(wire.server)
        findings = play.all_leave(wire.server)
        assert findings.cut == 0
        assert findings.quick_off_ms <= 50
        assert play.people.failures == {}
