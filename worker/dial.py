"""Connections for requests that go where they were checked to go, and that no host can draw out or fill up.

requests' own time-outs are for each read: a host that sends a byte a second would hold a thread for hours. And it
resolves a name on its own, after whatever was checked before. Here the address that was checked is the one that is
connected to, and the socket itself gives up at one moment, and after one amount, for all of an answer.
"""

import logging
import socket
import ssl
import time
from typing import Any

from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.ssl_ import create_urllib3_context

from worker.addresses import refusal

MOST_BYTES = 16_384
"""An answer's headers and body together; more is read of no host."""


class NotUsable(Exception):
    """The host cannot be asked, or its answer is none; the message says why in a few words.

    Not an ``OSError``: urllib3 would wrap it in errors of its own.
    """


class _Bounded(socket.socket):
    """A socket that gives up at a moment, and after an amount.

    Attributes:
        deadline_s: of ``time.monotonic``; ``left_bytes``: how many more may come.
    """

    deadline_s = 0.0
    left_bytes = 0

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        """All of ``http.client``'s reading ends up here."""
        if self.left_bytes <= 0:
            raise NotUsable(f"more than {MOST_BYTES} bytes")
        try:
            self.settimeout(_left_s(self.deadline_s))
            count = super().recv_into(buffer, nbytes or 0, flags)
        except TimeoutError:
            raise NotUsable("no answer in time") from None
        self.left_bytes -= count
        return count


class _BoundedTLS(_Bounded, ssl.SSLSocket):
    """The same over TLS."""

    def __del__(self) -> None:
        # Where a host resets the connection before it shakes hands, ``ssl`` lets go of the socket without closing it.
        self.close()


class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(str(self._dns_host), self.port, _timeout_s(self))


class _TLSConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(str(self._dns_host), self.port, _timeout_s(self))

    def connect(self) -> None:
        deadline_s = time.monotonic() + _timeout_s(self)
        super().connect()
        assert isinstance(self.sock, _BoundedTLS)
        self.sock.deadline_s, self.sock.left_bytes = deadline_s, MOST_BYTES


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection

    def _put_conn(self, conn: Any) -> None:
        # A host that keeps the connection open would cost a file descriptor until all are asked.
        if conn is not None:
            conn.close()


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection
    _put_conn = _Pool._put_conn


class BoundedAdapter(HTTPAdapter):
    """Sends requests over such connections. ``timeout`` is for all of a request, from the name's look-up to the end."""

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        # It warns of odd headers, with a traceback, in every sweep; the reading says that there was no answer.
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        context = create_urllib3_context()
        context.sslsocket_class = _BoundedTLS
        context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
        super().init_poolmanager(connections, maxsize, block, ssl_context=context, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Done by the context. What this overrides reads all certificates anew for every host, which takes 30 ms."""


def _timeout_s(connection: HTTPConnection) -> float:
    assert isinstance(connection.timeout, int | float)
    return connection.timeout


def _left_s(deadline_s: float) -> float:
    left_s = deadline_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s


def _connect(host: str, port: int, timeout_s: float) -> socket.socket:
    """A connection to the first address of ``host`` that takes one. Raises ``NotUsable``.

    One address that is refused refuses the host: it is a name that should not stand in a record.
    """
    deadline_s = time.monotonic() + timeout_s
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotUsable(f"no address for its name: {getattr(error, 'strerror', None) or 'not a name'}") from None
    for *_, address in found:
        if why := refusal(str(address[0])):
            raise NotUsable(f"never asked: {why}")
    why = "no address"
    for family, kind, protocol, _, address in found:
        bounded = _Bounded(family, kind, protocol)
        try:
            # What the system takes in before anybody reads it is bounded too; this it doubles.
            bounded.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MOST_BYTES)
            bounded.settimeout(_left_s(deadline_s))
            bounded.connect(address)
            # For what comes before the first reading: TLS shakes hands.
            bounded.settimeout(_left_s(deadline_s))
        except TimeoutError:
            why = "no connection in time"
        except OSError as error:
            why = f"no connection: {error.strerror or 'refused'}"
        else:
            bounded.deadline_s, bounded.left_bytes = deadline_s, MOST_BYTES
            return bounded
        bounded.close()
    raise NotUsable(why)
