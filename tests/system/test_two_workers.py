"""Eight clients against two gunicorn workers that share one set of files."""

import http.client
import json
import os
import random
import signal
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from payments.domain.money import parse_eth
from tests.audit import audit
from tests.harness import Server, journal_path

pytestmark = pytest.mark.long

CLIENTS, SESSIONS, EVENTS, HOSTS = 8, 500, 20_000, 10


def test_twenty_thousand_events_of_eight_clients_add_up(server: Server) -> None:
    for number in range(HOSTS):
        server.register(f"orch-{number}", f"203.0.113.{number + 1}")
    assert len(server.workers()) == 2

    with ThreadPoolExecutor(CLIENTS) as clients:
        acknowledged = set().union(*clients.map(lambda client: _report(server, client), range(CLIENTS)))
    assert len(acknowledged) == EVENTS

    entries, balances = audit(journal_path(server.data))
    recorded = {(entry["session"]["session_id"], entry["session"]["event_id"]) for entry in entries}
    assert acknowledged <= recorded
    shown = {
        each["orchestrator_id"]: Decimal(each["balance"]) for each in server.get("/api/ledger/balances")["balances"]
    }
    assert shown == balances
    assert len(balances) == HOSTS
    for session in server.get("/api/sessions", limit=2000)["sessions"]:
        assert parse_eth(session["billed_eth"]) == parse_eth("0.001") * session["billed_ms"] // 60_000


def test_a_worker_that_dies_takes_nothing_acknowledged_with_it(server: Server) -> None:
    server.register()
    for number in range(100):
        assert server.report(session_id=f"s-{number % 5}", upstream_addr="203.0.113.10").status_code == 200
        if number in (30, 60):
            os.kill(server.workers()[0], signal.SIGKILL)
    entries, _ = audit(journal_path(server.data))
    assert len(entries) == 100


def _report(server: Server, client: int) -> set[tuple[str, str]]:
    """Send this client's share of events over one connection; return those acknowledged as recorded."""
    chance = random.Random(client)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    headers = {"Content-Type": "application/json", "X-Session-Token": server.REPORTER}
    acknowledged = set()
    for number in range(EVENTS // CLIENTS):
        session = chance.randrange(SESSIONS)
        event = {
            "session_id": f"s-{session}",
            "event_id": f"{client}-{number}",
            "upstream_addr": f"203.0.113.{session % HOSTS + 1}",
            "edge_id": f"edge-{client}",
        }
        connection.request("POST", "/api/sessions/events", json.dumps(event), headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
        assert (response.status, answer["outcome"]) == (200, "recorded"), answer
        acknowledged.add((answer["session_id"], answer["event_id"]))
    connection.close()
    return acknowledged
