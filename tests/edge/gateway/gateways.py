"""Gateways for tests: real processes on free loopback ports, each with its own spool."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.harness import ROOT, Server, end, free_port, uncoded


class GatewayProcess:
    """A process of ``ps-gateway``.

    Attributes:
        url, ws_url: where viewers connect, for pages and for WebSockets; ``admin_url``: health and metrics.
            All of them at ``address``, as it is written in an address.
        spool: its spool; ``log``: the file of what it logs; ``process``: itself.
        settings: its environment; changes apply at the next ``start``.
    """

    def __init__(
        self, folder: Path, api_url: str, upstream: str | None = None, *, address: str = "127.0.0.1", **settings: str
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.spool = folder / "spool"
        self.log = folder / "gateway.log"
        self.port, self.admin_port = free_port(), free_port()
        self.url, self.ws_url = f"http://{address}:{self.port}", f"ws://{address}:{self.port}"
        self.admin_url = f"http://{address}:{self.admin_port}"
        self.settings = {
            "PAYMENTS_ENV_FILE": os.devnull,
            "PAYMENTS_API_URL": api_url,
            "PAYMENTS_SESSION_TOKEN": Server.REPORTER,
            "PAYMENTS_SESSION_HEARTBEAT_SECONDS": "1",
            "PAYMENTS_EDGE_ID": "edge-a",
            "PAYMENTS_SPOOL_DIR": str(self.spool),
            "PS_GATEWAY_LISTEN": f"{address}:{self.port}",
            # It takes no longer than it has to, and a busy machine takes its time.
            "PS_GATEWAY_DRAIN_SECONDS": "15",
            "PS_GATEWAY_ADMIN_LISTEN": f"{address}:{self.admin_port}",
            **({} if upstream is None else {"PS_GATEWAY_UPSTREAM": upstream}),
            **settings,
        }
        self._folder = folder
        self.process = self._launch()

    def start(self) -> None:
        """Start again on the same ports and spool."""
        self.process = self._launch()
        self.wait_started()

    def wait_started(self, timeout_s: float = 30) -> None:
        """Wait until it serves viewers, ready or not."""
        deadline_s = time.monotonic() + timeout_s
        while time.monotonic() < deadline_s and self.process.poll() is None:
            try:
                if self.admin("/healthz").status_code == 200:
                    return
            except requests.ConnectionError:
                pass
            time.sleep(0.02)
        raise AssertionError(f"the gateway does not serve:\n{self.log.read_text()}")

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout_s: float = 30) -> int:
        """Signal it, by default to drain, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=timeout_s)

    def kill(self) -> None:
        """Nothing of it runs any more."""
        self.stop(signal.SIGKILL)

    def admin(self, path: str) -> requests.Response:
        return requests.get(f"{self.admin_url}{path}", timeout=10)

    def metrics(self) -> dict[str, float]:
        """All samples by name and labels, such as ``ps_gateway_connections_total{result="accepted"}``."""
        text = self.admin("/metrics").text
        return {name: float(value) for name, value in re.findall(r"^([a-z][^ ]*) ([^ ]+)$", text, re.MULTILINE)}

    def logged(self) -> list[dict[str, Any]]:
        """Its log lines."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def messages(self, level: str = "") -> list[str]:
        """Texts of its log lines, of one level or of all."""
        return [uncoded(each["message"]) for each in self.logged() if level in ("", each["level"])]

    def memory_bytes(self) -> int:
        """Its resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def _launch(self) -> subprocess.Popen[bytes]:
        others = {name: said for name, said in os.environ.items() if not name.startswith(("PAYMENTS_", "PS_GATEWAY_"))}
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "payments.edge.gateway"],
                cwd=self._folder, env={**others, **self.settings, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip


@contextmanager
def running_gateway(
    folder: Path, api_url: str, upstream: str | None = None, *, address: str = "127.0.0.1", **settings: str
) -> Iterator[GatewayProcess]:
    """A gateway that serves viewers; always stopped at the end.

    ``upstream``: its only game host, as HOST:PORT; ``settings``: added to or replacing its environment.
    """
    gateway = GatewayProcess(folder, api_url, upstream, address=address, **settings)
    try:
        gateway.wait_started()
        yield gateway
    finally:
        end(gateway.process)
