"""Asks a server whether it answers: one GET, at an address as PAYMENTS_BIND has it."""

import socket
from http.client import HTTPConnection, HTTPException


def connected(bind: str, timeout_s: float) -> socket.socket:
    """A connection to what listens at ``bind``. Raises ``OSError``."""
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
    """Why a GET of ``path`` is not answered with 200; ``None``: it is."""
    connection = HTTPConnection("localhost")
    try:
        connection.sock = connected(bind, timeout_s)
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        said = answer.read(4096).decode(errors="replace").strip()
    except (OSError, HTTPException) as error:
        return f"{bind}: {error}"
    finally:
        connection.close()
    return None if answer.status == 200 else f"{bind}: {answer.status} {said}"
