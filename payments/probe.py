"""Probes a server with one GET, at an address in the form of PAYMENTS_BIND."""

import socket
from http.client import HTTPConnection, HTTPException


def connected(bind: str, timeout_s: float) -> socket.socket:
    """A connection to the server that listens at ``bind``. Raises ``OSError``."""
    if not bind.startswith("unix:"):
        host, _, port = bind.rpartition(":")
        return socket.create_connection((host.strip("[]"), int(port)), timeout_s)
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(timeout_s)
        connection.connect(bind.removeprefix("unix:"))
    except OSError:
        connection.close()
        raise
    return connection


def trouble(bind: str, path: str, timeout_s: float) -> str | None:
    """Why a GET of ``path`` failed or was not answered with 200; ``None`` if it was.

    ``deploy/install.sh`` calls this in the installed release, which may be older or newer: keep name and arguments.
    """
    connection = HTTPConnection("localhost")
    try:
        connection.sock = connected(bind, timeout_s)
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        body = answer.read(4096).decode(errors="replace").strip()
    except (OSError, HTTPException) as error:
        return f"{bind}: {error}"
    finally:
        connection.close()
    return None if answer.status == 200 else f"{bind}: {answer.status} {body}"
