"""Environment and ``.env`` -> one frozen ``EdgeSettings``, all problems reported together.

The fields below are the only list of an edge's settings; the README beside this file is generated from them.
"""

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from payments.configuration import FLAG, PATH, TOKEN, Configuration, SettingKind, integer, setting
from payments.endpoints import Endpoint, read_endpoint, read_http_url
from payments.envfile import PREFIX
from payments.errors import quoted

_HOST_NAME = "<host name>"
_MOMENTS_S = 2.5
_MAX_EDGE_ID = 64
"""The limit at Payments: ``payments.events``."""


def _read_api_url(text: str) -> str:
    if not text:
        raise ValueError("not set; it is the address of Payments, such as http://192.0.2.1:8081")
    return read_http_url(text, is_base=True).rstrip("/")


def _read_edge_id(text: str) -> str:
    if text == _HOST_NAME:
        text = "".join(each for each in socket.gethostname() if each.isprintable())[:_MAX_EDGE_ID]
    if not 1 <= len(text) <= _MAX_EDGE_ID or not text.isprintable():
        raise ValueError(f"{quoted(text)} is not a name of 1 to {_MAX_EDGE_ID} printable characters")
    return text


_URL = SettingKind(_read_api_url, "http:// or https:// and a host")
_ENDPOINT = SettingKind(
    lambda text: read_endpoint(text) if text else None, "HOST:PORT", lambda endpoint: str(endpoint or "")
)
_EDGE_ID = SettingKind(_read_edge_id, f"up to {_MAX_EDGE_ID} characters")


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeSettings(Configuration):
    """Settings of an edge. Durations are seconds; ``None``: not set."""

    prefixes: ClassVar[tuple[str, ...]] = (PREFIX, "PS_GATEWAY_")

    api_url: str = setting("PAYMENTS_API_URL", _URL, "", "address of Payments; required")
    session_token: str | None = setting(
        "PAYMENTS_SESSION_TOKEN", TOKEN, "",
        "one of the tokens in PAYMENTS_SESSION_REPORTER_TOKEN at Payments; required if that is set",
    )  # fmt: skip
    heartbeat_s: int = setting(
        "PAYMENTS_SESSION_HEARTBEAT_SECONDS", integer("seconds", 1, 3600), "15",
        "how much of a session is lost at most if the edge is killed; heartbeats come up to 2.5 s more often",
    )  # fmt: skip
    edge_id: str = setting("PAYMENTS_EDGE_ID", _EDGE_ID, _HOST_NAME, "name of this edge in the records")
    spool_dir: Path = setting(
        "PAYMENTS_SPOOL_DIR", PATH, "spool",
        "folder for undelivered events, on a local disk; one for each reporter",
    )  # fmt: skip
    spool_bytes: int = setting(
        "PAYMENTS_SPOOL_BYTES", integer("bytes", 1 << 20), "67108864",
        "size of the spool at which heartbeats are dropped; it may need as much memory as well",
    )  # fmt: skip
    listen: Endpoint = setting("PS_GATEWAY_LISTEN", _ENDPOINT, "0.0.0.0:8080", "where viewers connect")
    upstream: Endpoint | None = setting("PS_GATEWAY_UPSTREAM", _ENDPOINT, "", "the game host, if there is only one")
    routes_path: Path | None = setting(
        "PS_GATEWAY_ROUTES_PATH", PATH, "", "JSON file of routes to several game hosts; replaces PS_GATEWAY_UPSTREAM"
    )
    admin_listen: Endpoint = setting(
        "PS_GATEWAY_ADMIN_LISTEN", _ENDPOINT, "127.0.0.1:9091",
        "address of /healthz, /readyz, /metrics, and of /spool, which answers this machine only",
    )  # fmt: skip
    drain_s: int = setting(
        "PS_GATEWAY_DRAIN_SECONDS",
        integer("seconds", 0, 3600),
        "4",
        "how long a stop may take: viewers are closed and their ends delivered; Epic's page tries to reconnect for 6 s",
    )
    ping_s: int = setting(
        "PS_GATEWAY_PING_SECONDS", integer("seconds", 1, 3600), "15",
        "interval of pings to viewers and game hosts; a side that is silent for 2⅔ times that is considered gone",
    )  # fmt: skip
    max_viewers: int = setting(
        "PS_GATEWAY_MAX_VIEWERS", integer("viewers", 1), "4000", "most viewers at a time; others get 503"
    )
    max_message_bytes: int = setting(
        "PS_GATEWAY_MAX_MESSAGE_BYTES", integer("bytes", 1024, 1 << 30), "1048576",
        "size limit of a message; a larger one closes the connection with code 1009",
    )  # fmt: skip

    @property
    def heartbeat_interval_s(self) -> float:
        """Interval between heartbeats of a session.

        It is shorter than ``heartbeat_s``, because a heartbeat claims time up to a moment before it, and is safe on
        disk a moment after it.
        """
        return self.heartbeat_s - min(_MOMENTS_S, self.heartbeat_s / 2)

    behind_proxy: bool = setting(
        "PS_GATEWAY_BEHIND_PROXY", FLAG, "false",
        "true: trust X-Forwarded-For and -Proto; safe only if nobody but the proxy can connect",
    )  # fmt: skip
