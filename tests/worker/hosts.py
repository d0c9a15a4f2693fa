"""Hosts on loopback whose answers to ``/power`` tests control."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias

BLOCK = b"x" * 65_536


class HostConnection:
    """The host's side of a connection.

    Attributes:
        request: head of the request, up to the empty line.
        sent_bytes: how many sent bytes the system accepted.
    """

    def __init__(self, connection: socket.socket, ending: threading.Event) -> None:
        self.connection = connection
        self.request = b""
        self.sent_bytes = 0
        self._ending = ending

    def read_request(self) -> None:
        while b"\r\n\r\n" not in self.request:
            data = self.connection.recv(4096)
            if not data:
                return
            self.request += data

    def send(self, data: bytes) -> None:
        """Send. Raises ``OSError`` once the peer is gone or the test is over."""
        view = memoryview(data)
        while view:
            if self._ending.is_set():
                raise OSError
            with suppress(TimeoutError):
                count = self.connection.send(view)
                self.sent_bytes += count
                view = view[count:]

    def send_forever(self, data: bytes) -> None:
        while True:
            self.send(data)

    def drip(self, data: bytes, every_s: float = 1.0) -> None:
        """Send a byte at a time, then repeat the last one."""
        while True:
            self.send(data[:1])
            data = data[1:] or data
            self.wait(every_s)

    def wait(self, seconds: float = 3600) -> None:
        if self._ending.wait(seconds):
            raise OSError

    def reset(self) -> None:
        """Reset the connection, like a program that crashed."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.connection.close()


Act: TypeAlias = Callable[[HostConnection], None]


class PowerHost:
    """A host that does ``act`` with each connection; tests may change ``act``.

    Attributes:
        url: its address; ``peers``: connections in order.
    """

    def __init__(self, act: Act, address: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.act = act
        self.peers: list[HostConnection] = []
        self._tls = tls
        self._ending = threading.Event()
        self._threads: list[threading.Thread] = []
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, port), family=family, backlog=64)
        # A small buffer, so that sent bytes are nearly those that the other side read.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        self.address, self.port = address, int(self._listener.getsockname()[1])
        where = f"[{address}]" if ":" in address else address
        self.url = f"{'https' if tls else 'http'}://{where}:{self.port}/power"
        self._start(self._accept)

    @property
    def asked(self) -> int:
        """Number of connections."""
        return len(self.peers)

    def close(self) -> None:
        self._ending.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in list(self.peers):
            with suppress(OSError):
                peer.connection.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(timeout=10)
            assert not thread.is_alive()

    def _start(self, run: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._ending.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(0.2)
            peer = HostConnection(connection, self._ending)
            self.peers.append(peer)
            self._start(self._serve, peer)

    def _serve(self, peer: HostConnection) -> None:
        with suppress(OSError):
            if self._tls is not None:
                peer.connection.settimeout(5)
                peer.connection = self._tls.wrap_socket(peer.connection, server_side=True)
                peer.connection.settimeout(0.2)
            self.act(peer)
        # Unread data would make the system reset the connection and lose the answer.
        with suppress(OSError):
            peer.connection.shutdown(socket.SHUT_WR)
            while peer.connection.recv(65_536):
                pass
        peer.connection.close()


@contextmanager
def running_host(act: Act, address: str = "127.0.0.1", port: int = 0, **options: Any) -> Iterator[PowerHost]:
    """A host, closed at the end."""
    host = PowerHost(act, address, port, **options)
    try:
        yield host
    finally:
        host.close()


def answers(body: bytes, status: str = "200 OK", headers: str = "") -> Act:
    """A complete answer with ``body``."""

    def act(peer: HostConnection) -> None:
        peer.read_request()
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        peer.send(head.encode() + body)

    return act


def says(state: Any) -> Act:
    """The answer of a healthy host."""
    return answers(json.dumps({"state": state}).encode())


AWAKE = says("awake")
ASLEEP = says("sleeping")


def hangs(peer: HostConnection) -> None:
    """Accept the connection and stay silent."""
    peer.wait()


def slow(act: Act, delay_s: float) -> Act:
    """Do ``act`` after a delay."""

    def acts(peer: HostConnection) -> None:
        peer.read_request()
        time.sleep(delay_s)
        act(peer)

    return acts
