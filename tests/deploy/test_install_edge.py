"""``deploy/install.sh --edge`` and its unit, run on a test machine.

The tests share a machine and run in order; each leaves the gateway running, and the last one removes it.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.deploy.edge_peers import HOST, PORT
from tests.deploy.machine import OFFLINE, Machine, bare_machine
from tests.harness import until

pytestmark = pytest.mark.long

INSTALL = f"{Machine.INSTALL} --edge"
ENV = "/etc/payments/ps-gateway.env"
ROUTES = "/etc/payments/routes.json"
PYTHON = "/opt/ps-gateway/current/venv/bin/python"
PEERS = f"{PYTHON} {Machine.CHECKOUT}/tests/deploy/edge_peers.py"
API = "127.0.0.1:8081"
QUICK = "[Service]\nWatchdogSec=2\nTimeoutAbortSec=1\nRestartSec=100ms\n"


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine without an edge."""
    with bare_machine(tmp_path_factory.mktemp("machine")) as machine:
        yield machine


def what_is_there(machine: Machine) -> list[str]:
    """Paths that the scripts may touch."""
    found = machine.listing(
        "/opt", "/etc/payments", "/etc/systemd", "/etc/passwd", "/etc/group", "/usr/local/bin", "/var/lib/ps-gateway"
    )
    return [line for line in found if not line.startswith("/var/lib/ps-gateway/")]


def test_a_dry_run_changes_nothing(bare: Machine) -> None:
    before = what_is_there(bare)
    said = bare.run(f"{INSTALL} --dry-run")
    assert "+ systemctl restart ps-gateway.service" in said
    assert "payments-" not in said
    assert what_is_there(bare) == before


@pytest.fixture(scope="module")
def machine(bare: Machine) -> Machine:
    """A machine with an edge, a game host, and a Payments that answers like a remote one."""
    bare.run(
        f"mkdir -p /etc/systemd/system/ps-gateway.service.d; "
        f"printf '{QUICK}' >/etc/systemd/system/ps-gateway.service.d/test.conf"
    )
    done = bare.tried(INSTALL, **OFFLINE)
    assert done.returncode == 0, done.stderr
    # The installer cannot know where Payments is.
    assert "PAYMENTS_API_URL: not set" in done.stderr
    assert "Not started yet." in done.stderr
    assert bare.tried("systemctl is-active --quiet ps-gateway").returncode != 0
    bare.run(
        "mkdir /srv/payments; cd /srv/payments; "
        f"setsid {PYTHON} -m gunicorn -c {Machine.CHECKOUT}/deploy/gunicorn.conf.py wsgi:app >log 2>&1 &\n"
        f"setsid {PEERS} host >/srv/host.log 2>&1 &",
        PYTHONPATH=Machine.CHECKOUT, PAYMENTS_DATA_DIR="/srv/payments/data", PAYMENTS_BIND=API,
        PAYMENTS_SESSION_REPORTER_TOKEN="r3porter",
    )  # fmt: skip
    bare.files(ROUTES).write_text(json.dumps({"routes": [{"path": "/", "upstream": f"{HOST}:{PORT}"}]}))
    bare.set_to(
        ENV, PAYMENTS_API_URL=f"http://{API}", PAYMENTS_SESSION_TOKEN="r3porter", PS_GATEWAY_ROUTES_PATH=ROUTES,
        PAYMENTS_SESSION_HEARTBEAT_SECONDS="1",
    )  # fmt: skip
    bare.run(f"until curl -sf http://{API}/readyz; do sleep 0.1; done")
    bare.run("systemctl enable --quiet --now ps-gateway")
    return bare


def is_ready(machine: Machine) -> bool:
    return machine.tried("curl -sf http://127.0.0.1:9091/readyz").returncode == 0


def pid(machine: Machine) -> str:
    return machine.shown("ps-gateway", "MainPID")


def sessions(machine: Machine) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(machine.run(f"curl -sS http://{API}/api/sessions"))["sessions"]
    return found


def test_everything_is_where_it_belongs(machine: Machine) -> None:
    """When ``systemctl start`` returns, viewers can connect."""
    assert is_ready(machine)
    assert machine.run(f"stat -c '%a %U:%G' {ENV} /var/lib/ps-gateway /var/lib/ps-gateway/spool").split("\n")[:3] == [
        "640 root:ps-gateway", "700 ps-gateway:ps-gateway", "700 ps-gateway:ps-gateway",
    ]  # fmt: skip
    assert machine.run(f"ps -o user= -p {pid(machine)}").strip() == "ps-gateway"
    # Metrics of memory and descriptors, which the unit must not hide from the process.
    shown = machine.run("curl -sf http://127.0.0.1:9091/metrics")
    assert {"process_resident_memory_bytes", "process_open_fds"} <= {line.split(" ")[0] for line in shown.splitlines()}
    assert machine.run("find /opt/ps-gateway ! -user root") == ""
    assert machine.tried("systemd-analyze verify /etc/systemd/system/ps-gateway.service").stderr == ""
    assert [path for path in ("/opt/payments", "/usr/local/bin/payments") if machine.files(path).exists()] == []
    assert machine.tried("systemctl list-unit-files --no-legend 'payments*'").stdout == ""


def test_a_stop_lets_viewers_go_and_reports_their_ends(machine: Machine) -> None:
    machine.run(f"setsid {PEERS} viewer http://127.0.0.1:8080/ >/srv/viewer.log 2>&1 &")
    until(lambda: "connected" in machine.files("/srv/viewer.log").read_text())
    until(lambda: [each["status"] for each in sessions(machine)] == ["active"])
    machine.run("systemctl stop ps-gateway")
    assert machine.shown("ps-gateway", "Result") == "success"
    assert machine.files("/srv/viewer.log").read_text().split("\n")[1:2] == ["closed 1012"]
    (session,) = sessions(machine)
    assert (session["status"], session["end_reason"], session["upstream_addr"]) == ("ended", "end", HOST)
    assert session["streamer_id"] == "Streamer"
    machine.run("systemctl start ps-gateway")


def test_it_is_started_again_when_it_is_killed_and_when_it_hangs(machine: Machine) -> None:
    for number in ("KILL", "STOP"):
        before = pid(machine)
        machine.run(f"kill -{number} {before}")
        until(lambda before=before: pid(machine) not in (before, "0") and is_ready(machine))  # type: ignore[misc]
    assert "Watchdog timeout" in machine.log("ps-gateway")


def test_a_reload_reads_the_routes_and_refuses_bad_ones(machine: Machine) -> None:
    before, good = pid(machine), machine.files(ROUTES).read_text()
    machine.run("systemctl reload ps-gateway")
    machine.files(ROUTES).write_text("{")
    assert machine.tried("systemctl reload ps-gateway").returncode != 0
    assert ROUTES in machine.log("ps-gateway")
    machine.files(ROUTES).write_text(good)
    assert (pid(machine), is_ready(machine)) == (before, True)


def test_a_second_run_changes_nothing(machine: Machine) -> None:
    before, there = pid(machine), what_is_there(machine)
    machine.run(INSTALL, **OFFLINE)
    assert (pid(machine), what_is_there(machine)) == (before, there)


def test_the_demo_runs_from_a_release_as_any_user(machine: Machine) -> None:
    command = "runuser -u nobody -- /opt/ps-gateway/current/venv/bin/payments demo --seconds 1"
    assert "equal to the sum of" in machine.run(f"cd / && {command}")
    assert machine.tried("pgrep -u nobody").stdout == ""


def test_a_rollback_runs_the_other_release(machine: Machine) -> None:
    """After installing, an upgrade does the same as the server's: see test_install.py."""
    before = pid(machine)
    machine.run("cd /opt/ps-gateway && cp -a releases/0.1.0 releases/0.0.9 && ln -s releases/0.0.9 previous")
    rollback = "sh /opt/ps-gateway/current/deploy/install.sh --edge --rollback"
    for now, other in (("0.0.9", "0.1.0"), ("0.1.0", "0.0.9")):
        assert f"Release {now} is running again," in machine.tried(rollback).stderr
        links = machine.run("readlink /opt/ps-gateway/current /opt/ps-gateway/previous").split()
        assert links == [f"releases/{now}", f"releases/{other}"]
        assert (pid(machine) != before, is_ready(machine)) == (True, True)
        before = pid(machine)


def test_uninstalling_keeps_settings_and_spool_unless_told(machine: Machine) -> None:
    uninstall = f"sh {Machine.CHECKOUT}/deploy/uninstall.sh --edge"
    before = what_is_there(machine)
    machine.run(f"{uninstall} --dry-run --purge-data")
    assert what_is_there(machine) == before
    machine.run(uninstall)
    assert machine.tried("pgrep -u ps-gateway").stdout == ""
    kept = [ENV, "/var/lib/ps-gateway/spool"]
    gone = ["/opt/ps-gateway", "/etc/systemd/system/ps-gateway.service"]
    assert [path for path in (*gone, *kept) if machine.files(path).exists()] == kept
    machine.run(f"{uninstall} --purge-data")
    assert [path for path in kept if machine.files(path).exists()] == []
    assert machine.files(ROUTES).exists()
    assert machine.tried("getent passwd ps-gateway").returncode == 2
