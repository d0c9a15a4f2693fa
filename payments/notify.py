"""Reports a process's status to the service manager: ``sd_notify(3)``, without its library."""

import os
import socket
from contextlib import suppress


def notify(*lines: str) -> None:
    """Send ``lines``, such as ``READY=1``, to ``$NOTIFY_SOCKET``; does nothing if it is not set."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    # An abstract socket is written with an at sign in place of its first byte.
    name = f"\0{address[1:]}" if address.startswith("@") else address
    # Go on working if the manager does not listen.
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.sendto("\n".join(lines).encode(), name)


def watchdog_s() -> float | None:
    """The watchdog timeout in seconds, after which the service manager restarts the process; ``None``: no watchdog."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1e6 if microseconds.isdecimal() and int(microseconds) else None
