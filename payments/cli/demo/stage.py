"""Addresses, files and settings of the demo's processes and hosts."""

import json
import os
import secrets
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

SESSION_RATE, POWER_RATE = "0.06", "0.006"
"""ETH per minute: 0.001 a second, and a tenth of that. Far above real rates, so that earnings are visible at once."""

POLL_S = 1
HEARTBEAT_S = 2
DRAIN_S = 5

_OURS = ("PAYMENTS_", "PS_GATEWAY_", "LISTEN_")
_OTHERS = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "GUNICORN_CMD_ARGS")
_CODE = Path(str(files("payments"))).parent


class Place(NamedTuple):
    """A game host: its ``name``, which is also its path at the gateway, its ``address`` and ``port``."""

    name: str
    address: str
    port: int

    @property
    def orchestrator_id(self) -> str:
        return f"orch-{self.name}"

    @property
    def streamer_id(self) -> str:
        return f"{self.name.capitalize()}Streamer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One demo's addresses and files.

    Attributes:
        folder: holds all files; ``api``, ``gateway``, ``admin``: addresses to listen on, HOST:PORT.
        token: the gateway's token for the API.
    """

    folder: Path
    places: tuple[Place, ...]
    api: str
    gateway: str
    admin: str
    token: str

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def payments_environment(self) -> dict[str, str]:
        """Environment of the API, the worker and the commands. Viewer calls are open, for use in a browser."""
        return {
            **_clean_environment(),
            "PAYMENTS_DATA_DIR": str(self.data),
            "PAYMENTS_BIND": self.api,
            "PAYMENTS_BOOTSTRAP_ORCHESTRATORS_PATH": str(self.folder / "orchestrators.json"),
            "PAYMENTS_SESSION_REPORTER_TOKEN": self.token,
            "PAYMENTS_SESSION_CREDIT_ETH_PER_MINUTE": SESSION_RATE,
            "PAYMENTS_POWER_METER_ENABLED": "true",
            "PAYMENTS_POWER_CREDIT_ETH_PER_MINUTE": POWER_RATE,
            "PAYMENTS_POWER_POLL_SECONDS": str(POLL_S),
            "PAYMENTS_POWER_MAX_GAP_SECONDS": str(10 * POLL_S),
            "PAYMENTS_POWER_TIMEOUT_SECONDS": "1",
        }

    def gateway_environment(self) -> dict[str, str]:
        """Environment of the gateway."""
        return {
            **_clean_environment(),
            "PAYMENTS_API_URL": f"http://{self.api}",
            "PAYMENTS_SESSION_TOKEN": self.token,
            "PAYMENTS_SESSION_HEARTBEAT_SECONDS": str(HEARTBEAT_S),
            "PAYMENTS_EDGE_ID": "edge-demo",
            "PAYMENTS_SPOOL_DIR": str(self.folder / "spool"),
            "PS_GATEWAY_LISTEN": self.gateway,
            "PS_GATEWAY_ADMIN_LISTEN": self.admin,
            "PS_GATEWAY_ROUTES_PATH": str(self.folder / "routes.json"),
            "PS_GATEWAY_DRAIN_SECONDS": str(DRAIN_S),
        }


def set_stage(folder: Path, places: tuple[Place, ...]) -> Stage:
    """Choose free ports, and write the orchestrators' records and the gateway's routes into ``folder``."""
    api, gateway, admin = _free_addresses(3)
    stage = Stage(
        folder=folder, places=places, api=api, gateway=gateway, admin=admin, token=secrets.token_urlsafe(24)
    )  # fmt: skip
    records = [
        {
            "orchestrator_id": place.orchestrator_id,
            "host_public_ip": place.address,
            "host_name": f"{place.name}.example",
            "power_url": f"http://{place.address}:{place.port}/power",
        }
        for place in places
    ]
    routes = [
        {"path": f"/{place.name}", "upstream": f"{place.address}:{place.port}", "strip_path": True} for place in places
    ]
    (folder / "orchestrators.json").write_text(json.dumps({"orchestrators": records}, indent=2))
    (folder / "routes.json").write_text(json.dumps({"routes": routes}, indent=2))
    return stage


def _free_addresses(count: int) -> list[str]:
    """Free loopback addresses. If another program takes one before the demo does, the start fails with an error."""
    with ExitStack() as opened:
        # Bound at the same time, so that all differ.
        probes = [opened.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return ["{}:{}".format(*probe.getsockname()) for probe in probes]


def _clean_environment() -> dict[str, str]:
    """This process's environment, without settings of Payments and variables of a service manager.

    PYTHONPATH leads to the same code, whether it is installed or run from a checkout.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS) and name not in _OTHERS}
    found = [str(_CODE), *([kept["PYTHONPATH"]] if kept.get("PYTHONPATH") else [])]
    return {**kept, "PYTHONPATH": os.pathsep.join(found)}
