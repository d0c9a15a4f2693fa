"""The edge's environment and ``.env`` -> one frozen ``EdgeSettings``, all problems reported together.

The fields below are the only list of an edge's settings; the README beside this file is generated from them.
"""

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from payments.configuration import FLAG, PATH, TOKEN, Configuration, SettingKind, setting, whole
from payments.endpoints import Endpoint, read_endpoint, read_http_url
from payments.envfile import PREFIX
from payments.errors import quoted

_HOST_NAME = "<host name>"
_MOMENTS_S = 2.5
_MOST_EDGE_ID = 64
"""What Payments takes: ``payments.events``."""


def _read_api_url(text: str) -> str:
    if not text:
        raise ValueError("not set; it is the address of Payments, such as http://192.0.2.1:8081")
    return read_http_url(text, is_base=True).rstrip("/")


def _read_edge_id(text: str) -> str:
    if text == _HOST_NAME:
        text = "".join(each for each in socket.gethostname() if each.isprintable())[:_MOST_EDGE_ID]
    if not 1 <= len(text) <= _MOST_EDGE_ID or not text.isprintable():
        raise ValueError(f"{quoted(text)} is not a name of 1 to {_MOST_EDGE_ID} printable characters")
    return text


_URL = SettingKind(_read_api_url, "http:// or https:// and a host")
_ENDPOINT = SettingKind(
    lambda text: read_endpoint(text) if text else None, "HOST:PORT", lambda endpoint: str(endpoint or "")
)
_EDGE_ID = SettingKind(_read_edge_id, f"up to {_MOST_EDGE_ID} characters")


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeSettings(Configuration):
    """What the operator of an edge decided. Durations are seconds; ``None``: not set."""

    prefixes: ClassVar[tuple[str, ...]] = (PREFIX, "PS_GATEWAY_")

    api_url: str = setting("PAYMENTS_API_URL", _URL, "", "where Payments answers; it must be set")
    session_token: str | None = setting(
        "PAYMENTS_SESSION_TOKEN", TOKEN, "",
        "one of those in PAYMENTS_SESSION_REPORTER_TOKEN at Payments, if that is set",
    )  # fmt: skip
    heartbeat_s: int = setting(
        "PAYMENTS_SESSION_HEARTBEAT_SECONDS", whole("seconds", 1, 3600), "15",
        "how much of a session a kill of the edge may cost; heartbeats come up to 2.5 s sooner than that",
    )  # fmt: skip
    edge_id: str = setting("PAYMENTS_EDGE_ID", _EDGE_ID, _HOST_NAME, "what this edge is called in the records")
    spool_dir: Path = setting(
        "PAYMENTS_SPOOL_DIR", PATH, "spool",
        "folder of what is not delivered yet; each reporter needs one of its own, on a local disk",
    )  # fmt: skip
    spool_bytes: int = setting(
        "PAYMENTS_SPOOL_BYTES", whole("bytes", 1 << 20), "67108864",
        "how large that may grow before heartbeats are dropped; as much memory may be needed as well",
    )  # fmt: skip
    listen: Endpoint = setting("PS_GATEWAY_LISTEN", _ENDPOINT, "0.0.0.0:8080", "where viewers connect")
    upstream: Endpoint | None = setting("PS_GATEWAY_UPSTREAM", _ENDPOINT, "", "the one game host, if there is one")
    routes_path: Path | None = setting(
        "PS_GATEWAY_ROUTES_PATH", PATH, "", "JSON file of routes to several game hosts, instead of the one upstream"
    )
    admin_listen: Endpoint = setting(
        "PS_GATEWAY_ADMIN_LISTEN", _ENDPOINT, "127.0.0.1:9091",
        "where /healthz, /readyz and /metrics are served, and /spool to this machine",
    )  # fmt: skip
    drain_s: int = setting(
        "PS_GATEWAY_DRAIN_SECONDS",
        whole("seconds", 0, 3600),
        "4",
        "how long a stop may take: viewers are let go and their ends delivered; Epic's page tries to come back for 6 s",
    )
    ping_s: int = setting(
        "PS_GATEWAY_PING_SECONDS", whole("seconds", 1, 3600), "15",
        "from one ping to the next, to viewers and game hosts; who is silent for 2⅔ times that is taken to be gone",
    )  # fmt: skip
    most_viewers: int = setting(
        "PS_GATEWAY_MAX_VIEWERS", whole("viewers", 1), "4000", "how many there may be at a time; others get 503"
    )
    most_message_bytes: int = setting(
        "PS_GATEWAY_MAX_MESSAGE_BYTES", whole("bytes", 1024, 1 << 30), "1048576",
        "how large a message may be; whoever sends a larger one is let go with the code 1009",
    )  # fmt: skip

    @property
    def beat_s(self) -> float:
        """From one heartbeat of a session to the next.

        Less than ``heartbeat_s``, for a heartbeat claims what was known a moment before, and is safe a moment later.
        """
        return self.heartbeat_s - min(_MOMENTS_S, self.heartbeat_s / 2)

    behind_proxy: bool = setting(
        "PS_GATEWAY_BEHIND_PROXY", FLAG, "false",
        "true: believe X-Forwarded-For and -Proto; only where nobody but the proxy can connect",
    )  # fmt: skip
