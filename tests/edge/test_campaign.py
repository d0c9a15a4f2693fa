"""Payments and edges are killed and restarted while 500 viewers come and go.

The outage lasts seconds, or as long as ``PAYMENTS_TEST_EDGE_OUTAGE_SECONDS`` says.
"""

import os
import time
from pathlib import Path

import pytest

from tests.audit import audit
from tests.edge.reporter_processes import (
    ReporterProcess,
    Span,
    Viewing,
    check_credits,
    kill_payments,
    running_reporter,
    settled,
)
from tests.harness import Server, ended, journal_path

pytestmark = pytest.mark.long

OUTAGE_S = float(os.environ.get("PAYMENTS_TEST_EDGE_OUTAGE_SECONDS") or 3)
VIEWERS = 500


class CampaignAudience:
    """The viewers of one edge. Attributes: ``stays``: finished stays, by session."""

    def __init__(self) -> None:
        self.stays: dict[str, Viewing] = {}
        self._here: dict[str, Span] = {}

    def come(self, edge: ReporterProcess, count: int) -> None:
        self._here |= edge.open(count)

    def leave(self, edge: ReporterProcess, count: int) -> None:
        """Let the viewers leave who have been here longest."""
        for name, moment in edge.end(list(self._here)[:count]).items():
            self.stays[name] = Viewing(self._here.pop(name), moment)

    def leave_all(self, edge: ReporterProcess) -> None:
        self.leave(edge, len(self._here))

    def are_cut(self, edge: ReporterProcess) -> None:
        """Their edge dies."""
        before_ms = time.time() * 1000
        edge.kill()
        killed = Span(before_ms, time.time() * 1000)
        self.stays |= {name: Viewing(begun, killed, cut=True) for name, begun in self._here.items()}
        self._here.clear()


def it_comes_to_rest(server: Server, edge: ReporterProcess, audience: CampaignAudience) -> None:
    """With Payments back, let all viewers leave, and check that everything is reported."""
    server.start()
    time.sleep(1)
    audience.leave_all(edge)
    settled(edge)
    assert edge.close(30)


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def test_payments_killed_and_brought_back_costs_no_session_more_than_50_ms(tmp_path: Path, server: Server) -> None:
    audience = CampaignAudience()
    with ended(server), running_reporter(tmp_path, server.url) as edge:
        server.register()
        audience.come(edge, VIEWERS)
        time.sleep(1.5)
        kill_payments(server)
        time.sleep(OUTAGE_S / 2)
        audience.leave(edge, VIEWERS // 5)
        audience.come(edge, VIEWERS // 5)
        time.sleep(OUTAGE_S / 2)
        assert edge.status()["last_error"] is not None
        it_comes_to_rest(server, edge, audience)
        check_credits(server, audience.stays)
        server.stop()
        audit(journal_path(server.data))


def test_an_edge_killed_and_brought_back_while_payments_is_away_costs_no_session_more_than_a_heartbeat(
    tmp_path: Path, server: Server
) -> None:
    audience = CampaignAudience()
    with ended(server):
        server.register()
        with running_reporter(tmp_path, server.url) as edge:
            audience.come(edge, VIEWERS)
            time.sleep(1.5)
            audience.leave(edge, VIEWERS // 5)
            time.sleep(0.5)
            kill_payments(server)
            time.sleep(OUTAGE_S / 2)
            audience.leave(edge, VIEWERS // 5)
            audience.come(edge, VIEWERS // 5)
            # Events in the last milliseconds before the kill are not written yet.
            time.sleep(0.3)
            audience.are_cut(edge)
        time.sleep(OUTAGE_S / 2)
        with running_reporter(tmp_path, server.url) as edge:
            audience.come(edge, 50)
            time.sleep(0.3)
            audience.are_cut(edge)
        with running_reporter(tmp_path, server.url) as edge:
            audience.come(edge, 50)
            it_comes_to_rest(server, edge, audience)
        check_credits(server, audience.stays)
        server.stop()
        audit(journal_path(server.data))
