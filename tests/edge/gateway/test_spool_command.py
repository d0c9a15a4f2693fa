"""``ps-gateway spool``, with a running gateway and without."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import requests
from websockets.sync.client import connect

from payments.edge.database import Database
from payments.edge.events import DeadLetter, SessionLabels, SpooledEvent
from tests.edge.gateway.gateways import GatewayProcess, running_gateway
from tests.edge.gateway.hosts import GameHost, hosting
from tests.edge.stand_in import StandIn
from tests.harness import NOON_MS, ROOT, free_port, until

NOBODY = "http://127.0.0.1:1"


class Everyone(set[str]):
    """The ids of all sessions."""

    def __contains__(self, _: object) -> bool:
        return True


@pytest.fixture(scope="module")
def host() -> Iterator[GameHost]:
    with hosting() as running:
        yield running


@pytest.fixture(scope="module")
def away(tmp_path_factory: pytest.TempPathFactory, host: GameHost) -> Iterator[GatewayProcess]:
    """A gateway without Payments; it listens on all addresses."""
    with running_gateway(tmp_path_factory.mktemp("away"), NOBODY, host.at, address="0.0.0.0") as gateway:
        yield gateway


def spool(settings: dict[str, str], *words: str) -> tuple[int, str, str]:
    """Exit code, output and errors of ``ps-gateway spool``."""
    words = (sys.executable, "-m", "payments.edge.gateway", "spool", *words)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **settings}
    run = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=60)
    return run.returncode, run.stdout, run.stderr


def exported(settings: dict[str, str]) -> list[tuple[str, int | None, str]]:
    """State, number and kind of all events in the spool."""
    code, out, _ = spool(settings, "export")
    assert code == 0
    entries: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]
    return [(each["state"], each.get("number"), each["event"]["event"]) for each in entries]


def stopped(folder: Path, letters: int = 0) -> dict[str, str]:
    """Settings of a stopped gateway with so many dead letters in its spool."""
    if letters:
        database = Database(folder, letters)
        database.open()
        events = [
            SpooledEvent(SessionLabels(f"s-{number}", "edge-a", None, None, None), "end", 2, NOON_MS, f"e-{number}")
            for number in range(letters)
        ]
        database.save([], [], [DeadLetter(event, "422: \x1b[2J no\nthing", NOON_MS) for event in events])
        database.close()
    return {
        "PAYMENTS_ENV_FILE": os.devnull, "PAYMENTS_API_URL": NOBODY, "PAYMENTS_SPOOL_DIR": str(folder),
        "PS_GATEWAY_ADMIN_LISTEN": f"127.0.0.1:{free_port()}",
    }  # fmt: skip


def test_refused_events_are_shown_and_count_once_when_they_are_resent(
    tmp_path: Path, host: GameHost, payments: StandIn
) -> None:
    """One while the gateway is stopped, whose next start invents no end of the session; one while it runs."""
    payments.refused = Everyone()
    with running_gateway(tmp_path, payments.url, host.at, PAYMENTS_SESSION_HEARTBEAT_SECONDS="3600") as gateway:
        with connect(gateway.ws_url) as viewer:
            viewer.send("hello")
            viewer.recv(timeout=10)
        letters = [("dead_letter", 1, "start"), ("dead_letter", 2, "end")]
        until(lambda: exported(gateway.settings) == letters)
        session_id = payments.recorded[-1].event["session_id"]
        for _ in range(2):
            code, out, _ = spool(gateway.settings)
            assert (code, out.splitlines()[0]) == (0, f"{gateway.spool}: 2 dead letters, 0 pending events")
            assert [line.split()[3] for line in out.splitlines() if session_id in line] == ["start", "end"]
            code, _, error = spool(gateway.settings, "resend", "1", "99")
            assert (code, "no dead letter has the number 99\n" in error) == (1, True)
            gateway.stop()
        assert exported(gateway.settings) == letters
        payments.refused = set()
        code, out, _ = spool(gateway.settings, "resend", "1")
        assert (code, out) == (0, "The gateway is not running. Dead letters queued for its next start: 1\n")
        assert exported(gateway.settings) == [letters[1], ("pending", None, "start")]
        gateway.start()
        until(lambda: payments.kinds(session_id) == ["start"] and exported(gateway.settings) == letters[1:])
        assert spool(gateway.settings, "resend", "--all") == (0, "Dead letters queued to be sent again: 1\n", "")
        until(lambda: exported(gateway.settings) == [])
        accepted = [(each.event["event"], each.outcome) for each in payments.of(session_id)[2:]]
        assert accepted == [("start", "recorded"), ("end", "recorded")]


def test_showing_a_spool_that_a_crash_has_left_changes_nothing_in_it(tmp_path: Path, host: GameHost) -> None:
    with running_gateway(tmp_path, NOBODY, host.at) as gateway, connect(gateway.ws_url):
        until(lambda: gateway.metrics()["ps_gateway_reporter_events_pending"] >= 2)
        until(lambda: ("pending", None, "start") in exported(gateway.settings))
        gateway.kill()
        before = exported(gateway.settings)
        files = {path.name: path.read_bytes() for path in gateway.spool.iterdir()}
        assert spool(gateway.settings, "list")[0] == 0
        assert exported(gateway.settings) == before
        assert {kind for _, _, kind in before} == {"start", "heartbeat"}
        assert {path.name: path.read_bytes() for path in gateway.spool.iterdir()} == files


def test_listing_is_bounded_and_printable(tmp_path: Path) -> None:
    settings = stopped(tmp_path / "spool", 300)
    code, out, error = spool(settings)
    assert (code, error) == (0, "")
    rows = [line for line in out.splitlines() if "422: " in line]
    assert ([row.split()[0] for row in rows], "300 dead letters" in out) == ([*map(str, range(251, 301))], True)
    assert out.isascii()
    assert "\x1b" not in out
    command = f"{sys.executable} -m payments.edge.gateway spool export | head -n 1"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **settings}
    run = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True, check=True)
    assert (run.stdout.count("\n"), run.stderr) == (1, "")


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        pytest.param(b"{", 400, "not JSON", id="no JSON"),
        pytest.param(b"[1]", 400, 'either "numbers"', id="no object"),
        pytest.param(b'{"numbers": []}', 400, 'either "numbers"', id="none"),
        pytest.param(b'{"numbers": [true]}', 400, 'either "numbers"', id="no number"),
        pytest.param(b'{"all": 1}', 400, 'or "all": true', id="no flag"),
        pytest.param(b'{"all": true, "numbers": [1]}', 400, "and nothing else", id="both"),
        pytest.param(b'{"numbers": [7]}', 404, "no dead letter has the number 7", id="not there"),
    ],
)
def test_a_bad_call_is_refused_with_a_sentence(away: GatewayProcess, body: bytes, status: int, said: str) -> None:
    answer = requests.post(f"{away.admin_url}/spool/resend", body, timeout=10)
    assert (answer.status_code, said in answer.json()["error"]) == (status, True)


def test_only_this_machine_is_answered(away: GatewayProcess) -> None:
    """A request to loopback from another address could come from another machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no other address")
        own = asking.getsockname()[0]
    for asked, status in (("127.0.0.1", 403), (own, 200)):
        connection = HTTPConnection(asked, away.admin_port, 10, source_address=(own, 0))
        connection.request("GET", "/spool")
        assert connection.getresponse().status == status
        connection.close()


def test_a_spool_that_cannot_be_read_is_a_passing_fault(tmp_path: Path, host: GameHost) -> None:
    (tmp_path / "file").write_text("")
    with running_gateway(tmp_path, NOBODY, host.at, PAYMENTS_SPOOL_DIR=str(tmp_path / "file" / "spool")) as gateway:
        assert gateway.admin("/spool").status_code == 503
        code, _, error = spool(gateway.settings)
        assert (code, "cannot be written (Not a directory)" in error) == (1, True)


def test_a_command_that_cannot_be_carried_out_says_why(tmp_path: Path, away: GatewayProcess, payments: StandIn) -> None:
    nobody = stopped(tmp_path / "none")
    at = nobody["PS_GATEWAY_ADMIN_LISTEN"]
    assert spool(away.settings, "export")[0] == 0
    for settings, said in (
        ({**away.settings, "PAYMENTS_SPOOL_DIR": str(tmp_path)}, f"is {away.spool}, not {tmp_path}"),
        ({**away.settings, **nobody, "PAYMENTS_SPOOL_DIR": str(away.spool)}, f"PS_GATEWAY_ADMIN_LISTEN ({at})"),
        ({**nobody, "PS_GATEWAY_ADMIN_LISTEN": payments.url[7:]}, "is PS_GATEWAY_ADMIN_LISTEN right?"),
        (nobody, "No such file"),
    ):
        for words in (["export"], ["resend", "--all"]):
            code, out, error = spool(settings, *words)
            assert (code, out, said in error) == (1, "", True), error
    assert list(tmp_path.iterdir()) == []
