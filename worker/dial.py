"""Connections bounded in time and size, to the address that was checked.

requests' time-outs are per read: a host that sends a byte a second would hold a thread for hours. And requests resolves
a name itself, after any check. Here the checked address is the one connected to, and the socket has one deadline and
one byte limit for the whole answer.
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

MAX_BYTES = 16_384
"""Limit for an answer's headers and body together."""


class NotUsable(Exception):
    """The host cannot be asked, or its answer cannot be used; the message says why in a few words.

    Not an ``OSError``: urllib3 would wrap it in errors of its own.
    """


class _Bounded(socket.socket):
    """A socket with a deadline and a byte limit.

    Attributes:
        deadline_s: by ``time.monotonic``.
        left_bytes: how many more bytes are read.
    """

    deadline_s = 0.0
    left_bytes = 0

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        """``http.client`` reads through this alone."""
        if self.left_bytes <= 0:
            raise NotUsable(f"more than {MAX_BYTES} bytes")
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
        # If the host resets the connection before the handshake, ``ssl`` drops the socket without closing it.
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
        self.sock.deadline_s, self.sock.left_bytes = deadline_s, MAX_BYTES


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection

    def _put_conn(self, conn: Any) -> None:
        # Kept connections would hold a descriptor per host until the sweep ends.
        if conn is not None:
            conn.close()


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection
    _put_conn = _Pool._put_conn


class BoundedAdapter(HTTPAdapter):
    """Sends requests over bounded connections. ``timeout`` is for the whole request, name resolution included."""

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        # urllib3 warns of odd headers with a traceback in every sweep; the reading says it already.
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        context = create_urllib3_context()
        context.sslsocket_class = _BoundedTLS
        context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
        super().init_poolmanager(connections, maxsize, block, ssl_context=context, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Does nothing: the context verifies. The original loads all certificates again for each host, 30 ms each."""


def _timeout_s(connection: HTTPConnection) -> float:
    assert isinstance(connection.timeout, int | float)
    return connection.timeout


def _left_s(deadline_s: float) -> float:
    left_s = deadline_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s


def _connect(host: str, port: int, timeout_s: float) -> socket.socket:
    """Connect to the first address of ``host`` that accepts. Raises ``NotUsable``.

    A single forbidden address rules out the host: no record should name it.
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
            # Bounds what the system buffers; it doubles this value.
            bounded.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MAX_BYTES)
            bounded.settimeout(_left_s(deadline_s))
            bounded.connect(address)
            # For the TLS handshake, before the first read.
            bounded.settimeout(_left_s(deadline_s))
        except TimeoutError:
            why = "no connection in time"
        except OSError as error:
            why = f"no connection: {error.strerror or 'refused'}"
        else:
            bounded.deadline_s, bounded.left_bytes = deadline_s, MAX_BYTES
            return bounded
        bounded.close()
    raise NotUsable(why)
