"""``deploy/install.sh`` and the units, run on a test machine with systemd.

The tests share a machine and run in order; each leaves Payments running, and the last ones remove it.
"""

import re
from collections.abc import Iterator
from http.client import HTTPException
from typing import Any

import pytest

from tests.deploy.machine import OFFLINE, Machine, SocketLoad, bare_machine
from tests.harness import until

pytestmark = pytest.mark.long

INSTALL = Machine.INSTALL
ENV = "/etc/payments/payments.env"
QUICK_WATCHDOG = "[Service]\nWatchdogSec=4\nTimeoutAbortSec=1\n"
HOST = (
    "from http.server import *\n"
    "class Awake(BaseHTTPRequestHandler):\n"
    "    def do_GET(self):\n"
    '        self.send_response(200); self.end_headers(); self.wfile.write(b\'{"state":"awake"}\')\n'
    "HTTPServer(('127.0.0.1', 9090), Awake).serve_forever()\n"
)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with bare_machine(tmp_path_factory.mktemp("machine")) as machine:
        yield machine


def what_is_there(machine: Machine) -> list[str]:
    """Paths that the scripts may touch."""
    return machine.listing(
        "/opt", "/etc/payments", "/etc/systemd", "/etc/nginx", "/etc/passwd", "/etc/group", "/usr/local/bin",
        "/var/lib/payments", "/run/payments",
    )  # fmt: skip


def test_a_dry_run_changes_nothing(bare: Machine) -> None:
    before = what_is_there(bare)
    said = bare.run(f"{INSTALL} --dry-run")
    assert "+ systemctl enable --now payments-api.socket" in said
    assert what_is_there(bare) == before
    assert "no previous release" in bare.tried(f"{INSTALL} --rollback").stderr


@pytest.fixture(scope="module")
def machine(bare: Machine) -> Machine:
    """A machine with Payments, and an awake host on its loopback."""
    bare.run(
        "for unit in api worker; do mkdir -p /etc/systemd/system/payments-$unit.service.d; done; "
        f"printf '{QUICK_WATCHDOG}' >/etc/systemd/system/payments-api.service.d/test.conf"
    )
    said = bare.run(INSTALL, **OFFLINE)
    assert "Payments 0.1.0 is running." in said
    return bare


def set_to(machine: Machine, **settings: str) -> None:
    machine.set_to(ENV, **settings)


def admin(machine: Machine) -> str:
    return machine.settings()["PAYMENTS_API_ADMIN_TOKEN"]


def are_active(machine: Machine) -> bool:
    return machine.tried("systemctl is-active --quiet payments-api && systemctl is-active --quiet payments-worker") \
        .returncode == 0  # fmt: skip


def test_everything_is_where_it_belongs(machine: Machine) -> None:
    assert are_active(machine)
    stat = "stat -c '%a %U:%G'"
    assert machine.run(f"{stat} {ENV} /var/lib/payments /run/payments/api.sock").split("\n")[:3] == [
        "640 root:payments", "700 payments:payments", "660 payments:www-data",
    ]  # fmt: skip
    assert machine.run("getent passwd payments").strip().endswith(":/usr/sbin/nologin")
    assert {len(value) for name, value in machine.settings().items() if "TOKEN" in name} == {32}
    assert machine.run("find /opt/payments ! -user root") == ""
    assert (
        machine.tried(
            "systemd-analyze verify /etc/systemd/system/payments-api.socket /etc/systemd/system/payments-*.service"
        ).stderr
        == ""
    )
    assert not machine.files(f"{Machine.CHECKOUT}/build").exists()


def test_an_event_through_the_socket_is_recorded_and_the_command_sees_it(machine: Machine) -> None:
    answer = machine.report("s-1", "start")
    assert (answer.status, answer.body["outcome"]) == (200, "recorded")
    assert "s-1" in machine.run("payments sessions list --json")
    assert machine.run("find /var/lib/payments ! -user payments") == ""


def test_what_is_forbidden_is_not_what_it_needs(machine: Machine) -> None:
    """Affinity, metrics, checksummed addresses, and sweeps over hosts on private networks."""
    for pid in machine.workers():
        assert re.search(r"list: \d+$", machine.run(f"taskset -cp {pid}").strip())
    assert 'payments_events_total{' in machine.call("GET", "/metrics", token=admin(machine)).body  # fmt: skip
    machine.run(f"setsid python3 -c \"$HOST\" >/dev/null 2>&1 & until python3 -c '{_PROBE}'; do sleep 0.1; done",
                HOST=HOST)  # fmt: skip
    record = {
        "orchestrator_id": "orch-a", "host_public_ip": "127.0.0.1",
        "address": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    }  # fmt: skip
    assert machine.call("POST", "/api/orchestrators/register", record, admin(machine)).status in (200, 201)
    set_to(
        machine,
        PAYMENTS_POWER_METER_ENABLED="true",
        PAYMENTS_POWER_CREDIT_ETH_PER_MINUTE="0.06",
        PAYMENTS_POWER_POLL_SECONDS="1",
    )
    machine.run("systemctl reload payments-worker")
    until(lambda: any(each.get("billed_ms", 0) > 0 for each in power(machine)))
    assert [each["state"] for each in power(machine)] == ["awake"]


_PROBE = 'import socket; socket.create_connection(("127.0.0.1", 9090)).close()'


def power(machine: Machine) -> list[dict[str, Any]]:
    states: list[dict[str, Any]] = machine.call("GET", "/api/power", token=admin(machine)).body["power"]
    return states


def is_taken(machine: Machine) -> bool:
    try:
        return machine.report("s-killed").status == 200
    except (OSError, HTTPException):
        return False


@pytest.mark.parametrize("unit", ["payments-api", "payments-worker"])
def test_a_service_that_is_killed_is_started_again(machine: Machine, unit: str) -> None:
    before = machine.shown(unit, "MainPID")
    machine.run(f"kill -9 {before}")
    # New connections wait in systemd's queue; only one just accepted by a worker is killed with it.
    until(lambda: is_taken(machine))
    until(lambda: machine.shown(unit, "MainPID") not in (before, "0") and are_active(machine))


def test_the_watchdog_ends_a_master_that_is_stopped(machine: Machine) -> None:
    before = machine.shown("payments-api", "MainPID")
    machine.run(f"kill -STOP {before}")
    until(lambda: machine.shown("payments-api", "MainPID") not in (before, "0") and are_active(machine))
    assert "Watchdog timeout" in machine.log("payments-api")
    assert machine.report("s-stopped").status == 200


def test_a_reload_takes_new_settings_and_fails_no_request(machine: Machine) -> None:
    set_to(machine, PAYMENTS_CREDIT_UNIT="gwei")
    before, main = machine.workers(), machine.shown("payments-api", "MainPID")
    load = SocketLoad(machine)
    with load.going_on():
        machine.run("systemctl reload payments-api")
        until(lambda: len(machine.workers()) == 2 and not set(before) & set(machine.workers()))
    assert set(load.answers) == {200}
    assert machine.shown("payments-api", "MainPID") == main
    adjustment = {"orchestrator_id": "orch-a", "amount": "1", "reference": "unit", "note": "test"}
    assert "gwei" in str(machine.call("POST", "/api/ledger/adjustments", adjustment, admin(machine)).body)


def test_a_reload_with_bad_settings_is_refused_and_the_service_goes_on(machine: Machine) -> None:
    set_to(machine, PAYMENTS_POWER_PORT="none")
    before = machine.workers(), machine.shown("payments-api", "MainPID"), machine.shown("payments-worker", "MainPID")
    for unit in ("payments-api", "payments-worker"):
        assert machine.tried(f"systemctl reload {unit}").returncode != 0
        assert "PAYMENTS_POWER_PORT" in machine.log(unit)
    # The signal alone does not end it either.
    machine.run("systemctl kill --kill-who=main --signal=HUP payments-api")
    until(lambda: "Not reloaded" in machine.log("payments-api"))
    assert machine.report("s-bad").status == 200
    set_to(machine, PAYMENTS_POWER_PORT="")
    after = machine.workers(), machine.shown("payments-api", "MainPID"), machine.shown("payments-worker", "MainPID")
    assert after == before


def test_a_second_run_changes_nothing(machine: Machine) -> None:
    before = machine.shown("payments-api", "MainPID"), machine.shown("payments-worker", "MainPID"), machine.workers()
    there = what_is_there(machine)
    machine.run(INSTALL, **OFFLINE)
    after = machine.shown("payments-api", "MainPID"), machine.shown("payments-worker", "MainPID"), machine.workers()
    assert after == before
    assert _settled(what_is_there(machine)) == _settled(there)


def test_an_upgrade_and_a_rollback_fail_no_request(machine: Machine) -> None:
    checkout = machine.root / Machine.CHECKOUT[1:]
    for name, old, new in (
        ("setup.cfg", "version = 0.1.0", "version = 0.2.0"),
        ("payments/web/health.py", '{"status": "ok"}', '{"status": "ok", "of": "0.2.0"}'),
    ):
        machine.run(f"sed -i 's/{old}/{new}/' {Machine.CHECKOUT}/{name}")
        assert new in (checkout / name).read_text()
    env = machine.files(ENV).read_bytes()
    main = machine.shown("payments-api", "MainPID")
    load = SocketLoad(machine)
    with load.going_on():
        assert "Payments 0.2.0 is running." in machine.run(INSTALL, **OFFLINE)
    assert set(load.answers) == {200}
    assert {str(machine.call("GET", "/healthz").body.get("of")) for _ in range(20)} == {"0.2.0"}
    assert machine.shown("payments-api", "MainPID") == main
    assert "/releases/0.2.0/" in machine.run(
        f"tr '\\0' ' ' </proc/{machine.shown('payments-worker', 'MainPID')}/cmdline"
    )
    assert machine.files(ENV).read_bytes() == env

    load = SocketLoad(machine)
    with load.going_on():
        machine.run("sh /opt/payments/current/deploy/install.sh --rollback")
    assert set(load.answers) == {200}
    assert {machine.call("GET", "/healthz").body.get("of") for _ in range(20)} == {None}
    assert machine.run("ls /opt/payments/releases").split() == ["0.1.0", "0.2.0"]
    assert are_active(machine)


def _settled(found: list[str]) -> list[str]:
    """Leave out files that running services write."""
    return [line for line in found if not line.startswith("/var/lib/payments")]


def test_a_copy_is_taken_while_it_runs_and_restored_when_it_is_stopped(machine: Machine) -> None:
    machine.report("s-copied")
    machine.run("payments backup /srv/copy")
    refused = machine.tried("payments restore /srv/copy")
    assert (refused.returncode, "is in use; stop the API" in refused.stderr) == (1, True)
    machine.report("s-behind-the-copy")
    machine.run("systemctl stop payments-api.socket payments-api payments-worker")
    assert machine.run("systemctl list-units --failed --no-legend 'payments*'") == ""
    machine.run("payments restore /srv/copy")
    machine.run("systemctl start payments-api.socket payments-api payments-worker")
    assert machine.run("find /var/lib/payments ! -user payments") == ""
    listed = machine.run("payments sessions list --all --json")
    assert "s-copied" in listed
    assert "s-behind-the-copy" not in listed
    assert len(machine.run("ls -d /var/lib/payments/audit/before-*").split()) == 1


def test_uninstalling_keeps_data_and_settings_unless_told(machine: Machine) -> None:
    uninstall = f"sh {Machine.CHECKOUT}/deploy/uninstall.sh"
    before = what_is_there(machine)
    machine.run(f"{uninstall} --dry-run --purge-data")
    assert _settled(what_is_there(machine)) == _settled(before)
    machine.run(uninstall)
    assert machine.tried("pgrep -u payments").stdout == ""
    gone = "/opt/payments", "/usr/local/bin/payments", "/etc/systemd/system/payments-api.service", "/run/payments"
    assert [path for path in gone if machine.files(path).exists()] == []
    assert machine.files("/var/lib/payments/audit/ledger-events.log").exists()
    assert machine.files(ENV).exists()
    machine.run(f"{uninstall} --purge-data")
    assert [path for path in ("/var/lib/payments", "/etc/payments") if machine.files(path).exists()] == []
    assert machine.tried("getent passwd payments").returncode == 2
