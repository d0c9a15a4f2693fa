"""Game hosts for tests: WebSocket servers, and raw sockets that tests control."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Queue
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from tests.edge.gateway.raw import RawPeer, accepted, asking, connected

Handler = Callable[[ServerConnection], None]


def echo(connection: ServerConnection) -> None:
    """Echo every message."""
    for message in connection:
        connection.send(message)


class GameHost:
    """A game host. ``at``: HOST:PORT; ``connections``: connections of viewers, oldest first."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.at = f"127.0.0.1:{port}"
        self.connections: Queue[ServerConnection] = Queue()


@contextmanager
def hosting(handler: Handler = echo, address: str = "127.0.0.1", **options: Any) -> Iterator[GameHost]:
    """A host made with ``websockets``. It sends no pings unless told to."""

    def handle(connection: ServerConnection) -> None:
        host.connections.put(connection)
        with suppress(ConnectionClosed):
            handler(connection)

    options = {"compression": None, "ping_interval": None, "max_size": 1 << 22, **options}
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with serve(handle, sock=socket.create_server((address, 0), family=family), **options) as server:
        host = GameHost(server.socket.getsockname()[1])
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield host
        finally:
            server.shutdown()
            thread.join()


class RawHost:
    """A listening socket. ``at``: HOST:PORT."""

    def __init__(self, listening: socket.socket) -> None:
        self.listening = listening
        self.port: int = listening.getsockname()[1]
        self.at = f"127.0.0.1:{self.port}"

    def accept(self) -> RawPeer:
        """Accept the next connection."""
        connection, _ = self.listening.accept()
        connection.settimeout(20)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return RawPeer(connection, is_viewer=False)

    def accept_viewer(self, **headers: str) -> RawPeer:
        """Accept the next connection and its request for a WebSocket."""
        peer = self.accept()
        peer.send(accepted(peer.read_head(), **headers))
        return peer


@contextmanager
def raw_hosting(receive_bytes: int | None = None, port: int = 0) -> Iterator[RawHost]:
    """A host that does nothing by itself. ``receive_bytes``: size of its receive buffer."""
    with socket.socket() as listening:
        if receive_bytes is not None:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen(50)
        listening.settimeout(20)
        yield RawHost(listening)


@contextmanager
def joined(
    port: int, host: RawHost, path: str = "/", receive_bytes: int | None = None
) -> Iterator[tuple[RawPeer, RawPeer]]:
    """A viewer connected through the gateway at ``port``, and their connection at ``host``.

    ``receive_bytes``: size of the viewer's receive buffer.
    """
    with connected(port, receive_bytes) as viewer:
        viewer.send(asking(path))
        with host.accept_viewer() as theirs:
            head = viewer.read_head()
            assert head.startswith("HTTP/1.1 101 "), head
            yield viewer, theirs
