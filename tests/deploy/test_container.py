"""The image and the compose file, checked without a container engine: their contents, and the processes they start."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any, NamedTuple

import pytest
from compose_spec import PyOptions, parse_duration

from payments.settings import Settings
from tests.deploy.image import COMPOSE, CONTAINER, DOCKERFILE, FOLDER, copied, is_sent, last, lay_out, services, tracked
from tests.harness import ROOT, Server, free_port, journal_path, until

OURS = {name: each for name, each in services().items() if each["image"] == "payments"}
HEALTH = {"api": last("HEALTHCHECK").command, "worker": services()["worker"]["healthcheck"]["test"][1:]}
START = {"api": last("CMD").command, "worker": services()["worker"]["command"]}
BIN = Path(sys.executable).parent


def test_the_dockerfile_is_as_a_linter_would_have_it() -> None:
    run = subprocess.run([BIN / "hadolint", DOCKERFILE], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout + run.stderr) == (0, "")


def test_the_compose_file_keeps_to_the_specification() -> None:
    PyOptions(apply_merge=True).from_yaml(COMPOSE.read_text()).validate()


@pytest.mark.parametrize(
    ("sound", "unsound"),
    [
        pytest.param("read_only: true", "read_onyl: true", id="name"),
        pytest.param("init: true", "init: perhaps", id="value"),
        pytest.param("stop_grace_period: 30s", "stop_grace_period: 30 parsecs", id="duration"),
        pytest.param("condition: service_healthy", "condition: service_merry", id="condition"),
        pytest.param("\n  run:\n", "\n", id="volume"),
    ],
)
def test_a_mistake_in_the_compose_file_would_be_noticed(sound: str, unsound: str) -> None:
    text = COMPOSE.read_text()
    assert sound in text
    with pytest.raises(ValueError, match=r"\w"):
        PyOptions(apply_merge=True).from_yaml(text.replace(sound, unsound)).validate()


@pytest.mark.parametrize("name", services())
def test_a_container_can_do_no_more_than_it_must(name: str) -> None:
    service = services()[name]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"privileged", "cap_add", "devices", "pid", "ipc"} & set(service) == set()


@pytest.mark.parametrize("name", services())
def test_a_container_is_looked_after(name: str) -> None:
    service = services()[name]
    assert service["init"] is True
    assert service["restart"] == "unless-stopped"
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}
    assert name == "api" or service["healthcheck"]["test"][0] == "CMD"
    assert all(each == {"condition": "service_healthy"} for each in service.get("depends_on", {}).values())


@pytest.mark.parametrize("name", services())
def test_a_stop_is_granted_longer_than_gunicorn_grants_its_requests(name: str) -> None:
    granted = re.search(r"^graceful_timeout = (\d+)$", (ROOT / "deploy" / "gunicorn.conf.py").read_text(), re.MULTILINE)
    assert granted is not None
    assert parse_duration(services()[name]["stop_grace_period"]) > int(granted[1])


def test_both_processes_share_the_data_where_the_settings_have_them() -> None:
    default = next(each.metadata["default"] for each in fields(Settings) if each.name == "data_dir")
    assert last("VOLUME").text == default
    for service in OURS.values():
        assert f"data:{default}" in service["volumes"]
        assert service["environment"]["PAYMENTS_DATA_DIR"] == default
        assert service["user"] == last("USER").text


def test_nginx_reaches_the_socket_by_its_group_and_changes_nothing() -> None:
    nginx, api = services()["nginx"], services()["api"]
    assert nginx["user"].split(":")[0] != api["user"].split(":")[0]
    assert nginx["user"].split(":")[1] == api["user"].split(":")[1]
    assert "--mode 0750 /run/payments" in DOCKERFILE.read_text()
    assert "run:/run/payments" in api["volumes"]
    assert all(each.endswith(":ro") for each in nginx["volumes"])
    assert api["environment"]["PAYMENTS_BIND"] == "unix:/run/payments/api.sock"


def test_nginx_is_the_same_as_on_a_host() -> None:
    """One configuration; its log files are links to the streams that docker reads."""
    mounted, target, _ = services()["nginx"]["volumes"][0].split(":")
    assert target == "/etc/nginx/conf.d/default.conf"
    text = (CONTAINER / mounted).read_text()
    logs = set(re.findall(r"^\s*(?:access|error)_log\s+(/\S+)", text, re.MULTILINE))
    assert logs <= set(services()["nginx"]["command"][-1].split())
    assert "server unix:/run/payments/api.sock" in text
    port = services()["nginx"]["ports"][0].rpartition(":")[2]
    assert re.search(rf"^\s*listen {port};", text, re.MULTILINE)


def test_what_is_copied_is_there_and_sent() -> None:
    files = tracked()
    for source in copied():
        found = [path for path in files if PurePosixPath(path).is_relative_to(source)]
        assert found != [], source
        assert [path for path in found if not is_sent(path)] == []


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        "data/registry.json",
        "data/audit/ledger-events.log",
        ".git/config",
        ".venv/bin/python",
        "tests/harness.py",
        "deploy/container/.env",
        "payments/.env",
        "payments/web/__pycache__/app.pyc",
        "payouts/payouts.csv",
    ],
)
def test_secrets_are_not_sent_to_the_builder(path: str) -> None:
    assert not is_sent(path)


class Laid(NamedTuple):
    """The image's files in a folder.

    Attributes:
        app: the folder for ``/app``.
        environment: the compose file's environment, with this test's folders.
    """

    app: Path
    environment: Mapping[str, str]

    def start(self, command: list[str], **settings: str) -> subprocess.Popen[bytes]:
        environment = {**self.environment, **settings}
        with (self.app / "log").open("ab") as log:
            return subprocess.Popen(command, cwd=self.app, env=environment, stdout=log, stderr=log)

    def ask(self, name: str, **settings: str) -> tuple[int, str]:
        """Exit code and output of the health check of ``name``."""
        environment = {**self.environment, **settings}
        run = subprocess.run(
            HEALTH[name],
            cwd=self.app,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return run.returncode, run.stdout + run.stderr


@pytest.fixture(scope="module")
def laid() -> Iterator[Laid]:
    # Not in pytest's folder, because paths of sockets must be short.
    with TemporaryDirectory() as name:
        folder = Path(name)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PAYMENTS_")}
        moved = {str(FOLDER / "data"): str(folder / "data"), "unix:/run/payments/api.sock": f"unix:{folder}/api.sock"}
        given: dict[str, Any] = services()["api"]["environment"]
        yield Laid(
            lay_out(folder / "app"),
            {
                **inherited,
                **{name: moved.get(value, value) for name, value in given.items()},
                "PATH": f"{BIN}:{inherited['PATH']}",
                "PYTHONPATH": str(folder / "app"),
            },
        )


@contextmanager
def running(laid: Laid, name: str) -> Iterator[None]:
    """The process ``name`` as in its container; SIGTERM must end it with 0."""
    folder = laid.app.parent
    sign = {"api": folder / "api.sock", "worker": Path(f"{journal_path(folder / 'data')}.worker.json")}[name]
    process = laid.start(START[name])
    try:
        until(lambda: sign.exists() or process.poll() is not None)
        assert process.poll() is None, (laid.app / "log").read_text()
        yield
        process.terminate()
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        process.wait()


def test_what_the_image_has_is_enough_and_its_health_checks_tell(laid: Laid) -> None:
    """Both processes run from the copied files only, started and checked by the exact commands of the files."""
    code, said = laid.ask("api")
    assert (code, said.startswith(laid.environment["PAYMENTS_BIND"])) == (1, True)
    assert laid.ask("worker") == (1, "no worker has run yet\n")
    with running(laid, "api"), running(laid, "worker"):
        assert laid.ask("api") == (0, "")
        assert laid.ask("worker") == (0, "")
    code, said = laid.ask("api")
    assert (code, said.startswith(laid.environment["PAYMENTS_BIND"])) == (1, True)


def test_a_setting_that_is_bad_is_named_by_a_health_check(laid: Laid) -> None:
    code, said = laid.ask("api", PAYMENTS_POWER_PORT="x")
    assert code == 1
    assert said == 'PAY-C01 PAYMENTS_POWER_PORT: "x" is not a whole number\n'


def test_a_worker_that_is_silent_is_not_healthy(laid: Laid, tmp_path: Path) -> None:
    report = journal_path(tmp_path).with_name("ledger-events.log.worker.json")
    report.parent.mkdir()
    report.write_text('{"pid": 7, "at_ms": 1800000000000, "due_ms": 1, "sweep": null}')
    said = "the worker is silent since 2027-01-15T08:00:00.000Z\n"
    assert laid.ask("worker", PAYMENTS_DATA_DIR=str(tmp_path)) == (1, said)


def test_health_is_asked_over_tcp_too(laid: Laid, shared_server: Server) -> None:
    assert laid.ask("api", PAYMENTS_BIND=f"127.0.0.1:{shared_server.port}") == (0, "")


def test_an_open_port_is_not_health(laid: Laid) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        bind = f"127.0.0.1:{listening.getsockname()[1]}"

        def refuse() -> None:
            with listening.accept()[0] as connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 9\r\n\r\ndisk full")

        refusing = Thread(target=refuse)
        refusing.start()
        assert laid.ask("api", PAYMENTS_BIND=bind) == (1, f"{bind}: 503 disk full\n")
        refusing.join()


def test_the_health_check_of_nginx_tells(shared_server: Server) -> None:
    command = services()["nginx"]["healthcheck"]["test"][1:]

    def ask(port: int, *more: str) -> int:
        words = [word.replace("127.0.0.1:8081", f"127.0.0.1:{port}") for word in command]
        assert words != command
        return subprocess.run([*words, *more], check=False).returncode

    assert ask(shared_server.port) == 0
    assert ask(free_port(), "--tries=1") != 0
