"""The process: settings, signals, health, and what a stop leaves behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path

import pytest
import requests
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.alerts import promtool
from tests.edge.gateway.gateways import GatewayProcess, running_gateway
from tests.edge.gateway.hosts import GameHost, hosting, joined, raw_hosting
from tests.edge.gateway.raw import CLOSE, connected
from tests.edge.gateway.reports import Watch
from tests.edge.stand_in import StandIn, refusal, standing_in
from tests.harness import ROOT, RealClock, free_port, uncoded, until

pytestmark = pytest.mark.long

NOBODY = "http://127.0.0.1:1"
"""Payments is away."""


@pytest.fixture(scope="module")
def host() -> Iterator[GameHost]:
    with hosting() as running:
        yield running


def viewers(gateway: GatewayProcess, count: int) -> list[ClientConnection]:
    """Connect so many viewers, who stay until they are closed."""
    return [connect(gateway.ws_url, ping_interval=None, compression=None).__enter__() for _ in range(count)]


def talk(viewer: ClientConnection) -> None:
    viewer.send("hello")
    assert viewer.recv(timeout=10) == "hello"


def test_sigterm_lets_all_go_and_reports_every_end(tmp_path: Path, host: GameHost, payments: StandIn) -> None:
    watch = Watch(payments)
    with running_gateway(tmp_path, payments.url, host.at) as gateway:
        there = viewers(gateway, 20)
        talk(there[-1])
        assert gateway.stop() == 0
        for viewer in there:
            with pytest.raises(ConnectionClosed) as caught:
                viewer.recv(timeout=10)
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1012
        sessions = watch.new
        assert [events[-1]["event"] for events in sessions] == ["end"] * 20
        assert gateway.logged()[-1] | {"time": ""} == {
            "level": "INFO", "logger": "payments.edge.gateway.service", "message": "stopped", "pending": 0, "time": "",
        }  # fmt: skip


def test_while_it_drains_it_is_not_ready_and_takes_nobody(tmp_path: Path, payments: StandIn) -> None:
    with (
        raw_hosting() as host,
        running_gateway(tmp_path, payments.url, host.at) as gateway,
        joined(gateway.port, host) as (viewer, theirs),
    ):
        gateway.process.terminate()
        # The viewer does not answer the close, so the gateway waits.
        assert viewer.hear_of(CLOSE) is not None
        assert theirs.hear_of(CLOSE) is not None
        assert gateway.admin("/readyz").status_code == 503
        assert gateway.admin("/readyz").json()["why"] == "the gateway is stopping"
        with pytest.raises(ConnectionRefusedError):
            connected(gateway.port)
        viewer.close(1001)
        theirs.close(1001)
        assert gateway.process.wait(timeout=10) == 0


def test_a_second_signal_hurries_and_what_is_not_delivered_is_by_the_next_start(
    tmp_path: Path, host: GameHost, payments: StandIn
) -> None:
    with running_gateway(tmp_path, NOBODY, host.at, PS_GATEWAY_DRAIN_SECONDS="3600") as gateway:
        there = viewers(gateway, 3)
        gateway.process.terminate()
        for viewer in there:
            with pytest.raises(ConnectionClosed):
                viewer.recv(timeout=10)
        until(lambda: gateway.metrics()["ps_gateway_viewers"] == 0)
        assert gateway.stop(timeout_s=5) == 0
        assert gateway.logged()[-1]["pending"] >= 6
        watch = Watch(payments)
        gateway.settings["PAYMENTS_API_URL"] = payments.url
        gateway.start()
        assert [events[0]["event"] for events in watch.ended(3)] == ["start"] * 3


def test_a_drain_does_not_take_longer_than_it_may(tmp_path: Path, host: GameHost) -> None:
    with running_gateway(tmp_path, NOBODY, host.at, PS_GATEWAY_DRAIN_SECONDS="1") as gateway:
        viewers(gateway, 1)[0].close()
        assert gateway.stop(timeout_s=4) == 0
        assert gateway.logged()[-1]["pending"] > 0


def test_killed_and_brought_back_it_ends_the_sessions_that_were_open(
    tmp_path: Path, host: GameHost, payments: StandIn
) -> None:
    watch = Watch(payments)
    with running_gateway(tmp_path, payments.url, host.at) as gateway:
        there = viewers(gateway, 5)
        watch.begun(5)
        gateway.kill()
        for viewer in there:
            with pytest.raises(ConnectionClosed):
                viewer.recv(timeout=10)
        assert {events[-1]["event"] for events in watch.new} <= {"start", "heartbeat"}
        gateway.start()
        assert len(watch.ended(5)) == 5


def test_sighup_reads_the_routes_again_and_bad_ones_change_nothing(
    tmp_path: Path, host: GameHost, payments: StandIn
) -> None:
    routes = tmp_path / "routes.json"
    routes.write_text(json.dumps({"routes": [{"path": "/a", "upstream": host.at}]}))
    with running_gateway(tmp_path, payments.url, PS_GATEWAY_ROUTES_PATH=str(routes)) as gateway:
        with connect(f"{gateway.ws_url}/a") as stays:
            routes.write_text(json.dumps({"routes": [{"path": "/b", "upstream": host.at}]}))
            gateway.process.send_signal(signal.SIGHUP)
            until(lambda: "the routes were read again" in gateway.messages())
            with connect(f"{gateway.ws_url}/b") as viewer:
                talk(viewer)
            talk(stays)
            routes.write_text(json.dumps({"routes": [{"path": "b", "upstream": host.at}]}))
            gateway.process.send_signal(signal.SIGHUP)
            until(lambda: gateway.messages("ERROR") != [])
            with connect(f"{gateway.ws_url}/b") as viewer:
                talk(viewer)
        assert gateway.messages("ERROR") == [
            f"the routes stay as they were: PS_GATEWAY_ROUTES_PATH: {routes}: "
            'routes[0].path: "b" does not begin with "/", or has in it what no path has'
        ]


def test_a_wrong_token_is_logged_clearly_and_nothing_is_lost(tmp_path: Path, host: GameHost) -> None:
    with standing_in(RealClock()) as payments, running_gateway(tmp_path, payments.url, host.at) as gateway:
        payments.always = refusal(401, "unauthenticated")
        with connect(gateway.ws_url) as viewer:
            talk(viewer)
        until(lambda: gateway.messages("ERROR") != [])
        (line,) = gateway.messages("ERROR")
        assert "does not take the PAYMENTS_SESSION_TOKEN of this edge" in line
        until(lambda: gateway.metrics()["ps_gateway_reporter_events_pending"] == 2)
        assert gateway.admin("/readyz").status_code == 200
        payments.always = None
        assert gateway.stop() == 0
        assert [each.outcome for each in payments.recorded] == ["recorded", "recorded"]


def test_payments_away_is_no_reason_to_be_unready(tmp_path: Path, host: GameHost) -> None:
    with running_gateway(tmp_path, NOBODY, host.at, PS_GATEWAY_DRAIN_SECONDS="0") as gateway:
        with connect(gateway.ws_url) as viewer:
            talk(viewer)
        until(lambda: gateway.admin("/readyz").json()["last_error"] is not None)
        answer = gateway.admin("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")
        assert gateway.metrics()["ps_gateway_ready"] == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "payments-test", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(path: Path) -> None:
    """Write to ``path`` until the disk is full."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
@pytest.mark.parametrize("how", ["full", "read-only"])
def test_viewers_are_served_though_the_spool_cannot_be_written(
    tmp_path: Path, small_disk: Path, host: GameHost, payments: StandIn, how: str
) -> None:
    """Meanwhile it is not ready, but reports sessions; it is ready again once the disk works."""
    watch = Watch(payments)
    if how == "read-only":
        subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with running_gateway(tmp_path, payments.url, host.at, PAYMENTS_SPOOL_DIR=str(small_disk / "spool")) as gateway:
        if how == "full":
            until(lambda: gateway.admin("/readyz").status_code == 200)
            fill(small_disk / "filler")
        for _ in range(3):
            with connect(gateway.ws_url) as viewer:
                talk(viewer)
        watch.ended(3)
        until(lambda: gateway.admin("/readyz").status_code == 503)
        assert str(small_disk) in gateway.admin("/readyz").json()["why"]
        assert gateway.metrics()["ps_gateway_reporter_spool_writable"] == 0
        assert any("cannot be written" in line for line in gateway.messages("ERROR"))
        if how == "full":
            (small_disk / "filler").unlink()
        else:
            subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
        until(lambda: gateway.admin("/readyz").status_code == 200)
        assert gateway.stop() == 0


def test_admin_address_answers_health_and_metrics(tmp_path: Path, host: GameHost, payments: StandIn) -> None:
    with running_gateway(tmp_path, payments.url, host.at) as gateway:
        assert gateway.admin("/healthz").json() == {"status": "ok"}
        assert gateway.admin("/readyz").json() == {"status": "ok", "viewers": 0, "pending": 0, "last_error": None}
        assert gateway.admin("/elsewhere").status_code == 404
        answer = gateway.admin("/metrics")
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        with connect(gateway.ws_url) as viewer:
            talk(viewer)
            metrics = gateway.metrics()
            expected = {
                "ps_gateway_viewers": 1,
                'ps_gateway_connections_total{result="accepted"}': 1,
                'ps_gateway_messages_total{direction="to_upstream"}': 1,
                'ps_gateway_bytes_total{direction="to_viewer"}': 5,
                "ps_gateway_upstream_connect_seconds_count": 1,
                "ps_gateway_reporter_sessions_open": 1,
                "ps_gateway_reporter_spool_writable": 1,
            }
            assert {name: metrics[name] for name in expected} == expected
        until(lambda: gateway.metrics()["ps_gateway_reporter_events_delivered_total"] >= 2)
        assert 0 <= gateway.metrics()["ps_gateway_reporter_last_delivery_age_seconds"] < 30
        promtool("check", "metrics", text=gateway.admin("/metrics").text)


def test_the_service_manager_hears_of_it(tmp_path: Path, host: GameHost, payments: StandIn) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        with running_gateway(
            tmp_path, payments.url, host.at, NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="300000"
        ) as gateway:
            assert {manager.recv(4096) for _ in range(4)} >= {b"READY=1", b"WATCHDOG=1"}
            gateway.process.send_signal(signal.SIGHUP)
            while (heard := manager.recv(4096)) == b"WATCHDOG=1":
                pass
            assert heard.startswith(b"RELOADING=1\nMONOTONIC_USEC=")
            gateway.stop()
            said = set()
            while b"STOPPING=1" not in said:
                said.add(manager.recv(4096))


def run(tmp_path: Path, *arguments: str, **settings: str) -> tuple[int, str]:
    """Exit code and output of a gateway that exits by itself."""
    others = {name: said for name, said in os.environ.items() if not name.startswith(("PAYMENTS_", "PS_GATEWAY_"))}
    environment = {
        **others, "PAYMENTS_ENV_FILE": os.devnull, "PAYMENTS_API_URL": NOBODY, "PYTHONPATH": str(ROOT), **settings,
    }  # fmt: skip
    command = [sys.executable, "-m", "payments.edge.gateway", *arguments]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=20, check=False
    )
    return done.returncode, uncoded(done.stdout + done.stderr)


def test_help_says_what_it_does(tmp_path: Path) -> None:
    code, said = run(tmp_path, "--help")
    assert code == 0
    assert "SIGHUP reloads the" in said
    assert run(tmp_path, "--nonsense")[0] == 2


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        pytest.param(
            {"PAYMENTS_API_URL": "", "PS_GATEWAY_LISTEN": "8080"},
            "PAYMENTS_API_URL: not set; it is the address of Payments, such as http://192.0.2.1:8081\n"
            'PS_GATEWAY_LISTEN: "8080" is not HOST:PORT, such as 192.0.2.7:80 or [2001:db8::7]:80\n',
            id="all-at-once",
        ),
        pytest.param(
            {},
            "PS_GATEWAY_UPSTREAM, PS_GATEWAY_ROUTES_PATH: set one of them, and not both: where viewers are sent\n",
            id="no-game-host",
        ),
        pytest.param(
            {"PS_GATEWAY_UPSTREAM": "h:1", "PS_GATEWAY_ROUTES_PATH": "routes.json"},
            "PS_GATEWAY_UPSTREAM, PS_GATEWAY_ROUTES_PATH: set one of them, and not both: where viewers are sent\n",
            id="two",
        ),
        pytest.param(
            {"PS_GATEWAY_ROUTES_PATH": "routes.json"},
            "PS_GATEWAY_ROUTES_PATH: routes.json: No such file or directory\n",
            id="no-file",
        ),
        pytest.param(
            {"PS_GATEWAY_ROUTES_PATH": "/dev/null"},
            "PS_GATEWAY_ROUTES_PATH: /dev/null: not JSON: Expecting value: line 1 column 1 (char 0)\n",
            id="no-routes",
        ),
    ],
)
@pytest.mark.parametrize("arguments", [(), ("--check",)], ids=["start", "check"])
def test_what_is_wrong_is_named(
    tmp_path: Path, settings: dict[str, str], said: str, arguments: tuple[str, ...]
) -> None:
    assert run(tmp_path, *arguments, **settings) == (1, f"ps-gateway: cannot start:\n{said}")


def test_check_says_that_all_is_well_and_what_is_doubtful(tmp_path: Path, host: GameHost) -> None:
    with hosting(process_request=lambda each, _: each.respond(HTTPStatus.OK, "the player page")) as player:
        assert run(tmp_path, "--check", PS_GATEWAY_UPSTREAM=player.at) == (0, "")
        code, said = run(tmp_path, "--check", PS_GATEWAY_UPSTREAM=player.at, PS_GATEWAY_UPSTREEM="h:1")
        assert code == 0
        assert "PS_GATEWAY_UPSTREEM: unknown setting, ignored; did you mean PS_GATEWAY_UPSTREAM?" in said
    routes = tmp_path / "routes.json"
    gone = f"127.0.0.1:{free_port()}"
    routes.write_text(json.dumps({"routes": [{"upstream": host.at}, {"path": "/gone", "upstream": gone}]}))
    code, said = run(tmp_path, "--check", PS_GATEWAY_ROUTES_PATH=str(routes))
    assert code == 0
    # Like a streamer port, it accepts WebSockets only.
    assert f"{host.at}: the game host answers 426 to a page, as the streamer port of a signalling server does" in said
    assert f"{gone}: the game host cannot be reached now: no connection (Connection refused)" in said


def test_a_streamer_port_is_warned_of_when_a_page_is_asked_for(
    tmp_path: Path, host: GameHost, payments: StandIn
) -> None:
    with running_gateway(tmp_path, payments.url, host.at) as gateway:
        for _ in range(2):
            assert requests.get(gateway.url, timeout=10).status_code == 426
        (warning,) = gateway.messages("WARNING")
        assert "as the streamer port of a signalling server does (8888, usually)" in warning


def test_an_address_that_is_taken_is_named_and_so_is_a_spool_that_is_in_use(
    tmp_path: Path, host: GameHost, payments: StandIn
) -> None:
    with running_gateway(tmp_path, payments.url, host.at) as gateway:
        other = {**gateway.settings, "PS_GATEWAY_LISTEN": "127.0.0.1:0"}
        at = gateway.settings["PS_GATEWAY_LISTEN"]
        assert run(tmp_path, **gateway.settings) == (
            1,
            f"ps-gateway: cannot start:\nPS_GATEWAY_LISTEN: cannot listen on {at} (Address already in use)\n",
        )  # fmt: skip
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            free = f"127.0.0.1:{probe.getsockname()[1]}"
        other = {**gateway.settings, "PS_GATEWAY_LISTEN": free, "PS_GATEWAY_ADMIN_LISTEN": free.replace(".1:", ".2:")}
        code, said = run(tmp_path, **other)
        assert (code, said.splitlines()[:1]) == (1, ["ps-gateway: cannot start:"])
        assert f"{gateway.spool} is in use by another reporter" in said


def test_many_at_once_are_taken(tmp_path: Path, host: GameHost, payments: StandIn) -> None:
    with running_gateway(tmp_path, payments.url, host.at) as gateway:
        taken: list[ClientConnection] = []
        threads = [threading.Thread(target=lambda: taken.extend(viewers(gateway, 10))) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert gateway.metrics()["ps_gateway_viewers"] == 50
        for viewer in taken:
            talk(viewer)
            viewer.close(4321)
        until(lambda: gateway.metrics()["ps_gateway_viewers"] == 0)
