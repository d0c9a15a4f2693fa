"""Tells the service manager how a process fares: ``sd_notify(3)``, without its library."""

import os
import socket
from contextlib import suppress


def notify(*lines: str) -> None:
    """Send ``lines``, such as ``READY=1``, to ``$NOTIFY_SOCKET``; without one, nobody wants to know."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    # An abstract socket is written with an at sign in place of its first byte.
    name = f"\0{address[1:]}" if address.startswith("@") else address
    # A manager that does not listen is no reason to stop working.
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.sendto("\n".join(lines).encode(), name)


def watchdog_s() -> float | None:
    """How long the service manager waits between two signs of life before it restarts; ``None``: it does not."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1e6 if microseconds.isdecimal() and int(microseconds) else None
