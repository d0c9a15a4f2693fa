"""A test machine: systemd as process 1 of a container, on an overlay over this machine's files.

It boots within seconds, because nothing is installed: systemd-nspawn boots an overlay on ``/`` whose upper layer is in
memory, with no network but loopback. All changes vanish with it.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.harness import ROOT, until

SOCKET = "/run/payments/api.sock"

OFFLINE = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels"}
"""Environment for installing in it from ``wheels``."""

_PATH = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class MachineResponse(NamedTuple):
    """A response, with its body parsed if it was JSON."""

    status: int
    body: Any


class Machine:
    """Debian with systemd, and with this checkout in ``CHECKOUT``.

    Attributes:
        root: its files, without mounts made inside.
    """

    CHECKOUT = "/srv/checkout"
    INSTALL = f"sh {CHECKOUT}/deploy/install.sh"

    def __init__(self, root: Path, process: subprocess.Popen[bytes], log: Path) -> None:
        self.root = root
        self._process = process
        self._log = log
        self._leader = 0
        until(self._has_booted)

    def _has_booted(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()
        # For a moment, there is another process before the container's first.
        children = _children(self._process.pid)
        self._leader = children[0] if children else 0
        return bool(children) and self.tried("systemctl is-active --quiet basic.target").returncode == 0

    def tried(self, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run ``script`` in it with a shell as root."""
        return subprocess.run(
            ["nsenter", f"--target={self._leader}", "--all", "env", "-i", f"PATH={_PATH}", "HOME=/root",
             *(f"{name}={value}" for name, value in environment.items()), "sh", "-euc", script],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd="/",
        )  # fmt: skip

    def run(self, script: str, **environment: str) -> str:
        """Output of ``script``, which must succeed."""
        done = self.tried(script, **environment)
        assert done.returncode == 0, done.stdout + done.stderr + self.tried("journalctl -n 60 -o cat").stdout
        return done.stdout

    def shown(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run(f"systemctl show -P {name} {unit}").strip()

    def log(self, unit: str) -> str:
        return self.run(f"journalctl -o cat -u {unit}")

    def files(self, path: str) -> Path:
        """A path in it, seen from outside."""
        return Path(f"/proc/{self._leader}/root{path}")

    def listing(self, *paths: str) -> list[str]:
        """Everything at ``paths`` and in the checkout: names, modes, owners, sizes, times, targets of links."""
        found = self.run(f"find {' '.join(paths)} {self.CHECKOUT} 2>/dev/null -printf '%p %m %u %s %T@ %l\\n' || true")
        return sorted(found.splitlines())

    def call(self, method: str, path: str, body: Any = None, token: str = "", timeout_s: float = 20) -> MachineResponse:
        """One request through the socket, as nginx sends it."""
        connection = HTTPConnection("payments", timeout=timeout_s)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(timeout_s)
        try:
            connection.sock.connect(str(self.files(SOCKET)))
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}", "Connection": "close"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read().decode()
            kind = response.headers.get_content_type()
            return MachineResponse(response.status, json.loads(text) if kind.endswith("json") else text)
        finally:
            connection.close()

    def set_to(self, path: str, **settings: str) -> None:
        """Replace a file of settings, as an operator's editor does."""
        file = self.files(path)
        lines = [line for line in file.read_text().splitlines() if line.split("=")[0] not in settings]
        lines += [f"{name}={value}" for name, value in settings.items() if value]
        file.write_text("\n".join(lines) + "\n")

    def settings(self) -> dict[str, str]:
        """Settings in its payments.env."""
        lines = self.files("/etc/payments/payments.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))

    def report(self, session_id: str, kind: str = "heartbeat") -> MachineResponse:
        """An event, as an edge reports it."""
        event = {"session_id": session_id, "event": kind, "upstream_addr": "127.0.0.1"}
        return self.call("POST", "/api/sessions/events", event, self.settings()["PAYMENTS_SESSION_REPORTER_TOKEN"])

    def workers(self) -> list[int]:
        """Process ids of gunicorn's workers, as seen inside."""
        main = self.shown("payments-api", "MainPID")
        found = self.run(f"ps --ppid {main} -o pid=,args= || true").splitlines()
        return [int(line.split()[0]) for line in found if " gunicorn " in line]


class SocketLoad:
    """Sends events through the socket, one after another, until stopped.

    Attributes:
        answers: status of each, or the error.
    """

    def __init__(self, machine: Machine) -> None:
        self.answers: list[int | str] = []
        self._machine = machine
        self._token = machine.settings()["PAYMENTS_SESSION_REPORTER_TOKEN"]
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(3)]

    def _send(self, number: int) -> None:
        event = {"session_id": f"load-{number}", "upstream_addr": "127.0.0.1"}
        while not self._ending.wait(0.04):
            try:
                self.answers.append(self._machine.call("POST", "/api/sessions/events", event, self._token).status)
            except OSError as error:
                self.answers.append(repr(error))

    @contextmanager
    def going_on(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            until(lambda: len(self.answers) > 20)
            yield
            count = len(self.answers)
            until(lambda: len(self.answers) > count + 20)
        finally:
            self._ending.set()
            for thread in self._threads:
                thread.join()


def wheels(folder: Path) -> Path:
    """Wheels of all dependencies, for the machine's Python; the machine has no network."""
    version = subprocess.run(
        ["/usr/bin/python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--only-binary=:all:",
         f"--python-version={version}", f"--dest={folder}", "--no-deps", "--require-hashes",
         f"--requirement={ROOT / 'deploy' / 'requirements.txt'}"],
        check=True,
    )  # fmt: skip
    return folder


@contextmanager
def bare_machine(folder: Path) -> Iterator[Machine]:
    """A machine without Payments, and everything needed to install it."""
    if os.geteuid() != 0:
        pytest.skip("only root can boot a machine")
    found = wheels(folder / "wheels")
    with booted(folder) as machine:
        shutil.copytree(found, machine.root / "wheels")
        yield machine


@contextmanager
def booted(folder: Path) -> Iterator[Machine]:
    """A machine, switched off and removed at the end."""
    layer, root = folder / "layer", folder / "root"
    for each in (layer, root):
        each.mkdir()
    _run("mount", "-t", "tmpfs", "-o", "mode=0755", "payments-test", str(layer))
    try:
        for name in ("upper", "work"):
            (layer / name).mkdir()
        options = f"lowerdir=/,upperdir={layer}/upper,workdir={layer}/work"
        _run("mount", "-t", "overlay", "-o", options, "payments-test", str(root))
        try:
            _prepare(root)
            with (folder / "boot.log").open("wb") as log:
                process = subprocess.Popen(
                    ["systemd-nspawn", "--quiet", f"--directory={root}", "--boot", "--register=no", "--keep-unit",
                     "--private-network", "--link-journal=no", "--console=pipe", f"--machine=payments-{os.getpid()}"],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                    env={"PATH": os.environ["PATH"]},
                )  # fmt: skip
            try:
                machine = Machine(root, process, folder / "boot.log")
                yield machine
            finally:
                # Killing its process 1 kills everything in it; killing systemd-nspawn alone would not.
                for child in _children(process.pid):
                    os.kill(child, signal.SIGKILL)
                process.kill()
                process.wait()
        finally:
            _unmount(root)
    finally:
        _unmount(layer)


def _prepare(root: Path) -> None:
    """Prepare its files before it boots: add the checkout, and disable other services."""
    units = root / "etc/systemd/system"
    target = units / "default.target"
    target.unlink(missing_ok=True)
    target.symlink_to("/lib/systemd/system/basic.target")
    for wanted in units.glob("*.wants"):
        shutil.rmtree(wanted)
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for name in tracked:
        copy = root / Machine.CHECKOUT[1:] / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def _unmount(path: Path) -> None:
    """Retry: killed processes may keep it busy for a moment."""
    for _ in range(50):
        if subprocess.run(["umount", str(path)], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            return
        time.sleep(0.1)
    _run("umount", "--lazy", str(path))
