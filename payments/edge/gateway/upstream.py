"""Connects to game hosts: for a WebSocket, or for a page.

Requests and responses are passed on as they are: no redirect is followed, no cookie kept, no proxy of the environment
used, nothing decompressed. Each connection serves one request: a host may close a reused one just as a request is sent,
and not every request may be sent twice.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Sequence
from typing import Self

from aiohttp import (
    ClientError,
    ClientHandlerType,
    ClientOSError,
    ClientRequest,
    ClientResponse,
    ClientResponseError,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    ServerDisconnectedError,
    TCPConnector,
    WSServerHandshakeError,
)
from aiohttp.web import BaseRequest
from multidict import CIMultiDict
from yarl import URL

from payments.edge.gateway.connection import UpstreamSocket
from payments.edge.gateway.headers import offered_protocols, to_upstream
from payments.edge.gateway.routes import Route
from payments.endpoints import Endpoint

log = logging.getLogger(__name__)

CONNECT_S = 10.0
SILENT_S = 60.0
"""Time limit for each read or write of a plain request or its response."""

_CHECK_S = 3.0
"""How long ``--check`` waits for a page of each game host."""

STREAMER_PORT_STATUS = 426
"""What a signalling server's streamer port answers to a request for a page: it only accepts WebSockets."""

_AUTOMATIC = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class UpstreamRefused(Exception):
    """The host cannot serve a request. ``status``: HTTP status for the viewer."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Upstreams:
    """Client for all game hosts. Create, use and close it in the same event loop."""

    def __init__(self, max_message_bytes: int, *, is_behind_proxy: bool) -> None:
        self._max_message_bytes = max_message_bytes
        self._is_behind_proxy = is_behind_proxy
        self._session = ClientSession(
            connector=TCPConnector(limit=0, force_close=True), cookie_jar=DummyCookieJar(), auto_decompress=False,
            skip_auto_headers=_AUTOMATIC, middlewares=(_send_once,), ws_response_class=UpstreamSocket,
            timeout=ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENT_S),
        )  # fmt: skip

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def connect(self, request: BaseRequest, route: Route) -> UpstreamSocket:
        """Open a WebSocket to the host. Raises ``UpstreamRefused``."""
        headers = self._headers(request)
        headers.popall("Content-Length", None)
        try:
            async with asyncio.timeout(CONNECT_S):
                socket = await self._session.ws_connect(
                    _url(request, route), protocols=offered_protocols(request.headers), headers=headers,
                    autoclose=False, autoping=False, compress=0, max_msg_size=self._max_message_bytes + 1,
                    decode_text=False,
                )  # fmt: skip
        except TimeoutError:
            raise UpstreamRefused(504, f"no answer within {CONNECT_S:.0f} s") from None
        except WSServerHandshakeError as error:
            fault = f" ({error.message})" if error.message else ""
            raise UpstreamRefused(502, f"it answers {error.status} to a WebSocket{fault}") from None
        except (ClientError, OSError, ValueError) as error:
            raise UpstreamRefused(502, _reason(error)) from None
        assert isinstance(socket, UpstreamSocket)
        granted = socket.response.headers
        if "Sec-WebSocket-Extensions" in granted or socket.protocol != granted.get("Sec-WebSocket-Protocol"):
            socket.response.close()
            raise UpstreamRefused(502, "it grants an extension or a subprotocol that was not asked for")
        return socket

    async def request(self, request: BaseRequest, route: Route, body: AsyncIterator[bytes] | None) -> ClientResponse:
        """Send a plain request; return the response with its body unread. Raises ``UpstreamRefused``."""
        try:
            return await self._session.request(
                request.method, _url(request, route), headers=self._headers(request),
                data=body, allow_redirects=False,
            )  # fmt: skip
        except TimeoutError:
            raise UpstreamRefused(504, "no answer in time") from None
        except (ClientError, OSError, ValueError) as error:
            raise UpstreamRefused(502, _reason(error)) from None

    def _headers(self, request: BaseRequest) -> CIMultiDict[str]:
        return to_upstream(request.headers, request.remote or "", is_behind_proxy=self._is_behind_proxy)


async def check(upstreams: Sequence[Endpoint]) -> None:
    """Ask each game host for a page, and log a warning if that fails or shows a streamer port."""
    async with ClientSession(
        connector=TCPConnector(limit=0), timeout=ClientTimeout(total=_CHECK_S), auto_decompress=False
    ) as session:
        await asyncio.gather(*(_check(session, upstream) for upstream in upstreams))


async def _check(session: ClientSession, upstream: Endpoint) -> None:
    try:
        async with session.get(URL.build(scheme="http", authority=str(upstream)), allow_redirects=False) as answer:
            if answer.status == STREAMER_PORT_STATUS:
                warn_of_streamer_port(upstream)
    except TimeoutError:
        log.warning("PAY-E07 %s: the game host does not answer within %.0f s", upstream, _CHECK_S)
    except (ClientError, OSError, ValueError) as error:
        log.warning("PAY-E07 %s: the game host cannot be reached now: %s", upstream, _reason(error))


def warn_of_streamer_port(upstream: Endpoint) -> None:
    """Log that ``upstream`` answered a request for a page with ``STREAMER_PORT_STATUS``."""
    log.warning(
        "PAY-E06 %s: the game host answers 426 to a page, as the streamer port of a signalling server does (8888, "
        "usually): viewers need its player port (80, usually)", upstream
    )  # fmt: skip


async def _send_once(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Middleware against two habits of aiohttp: to retry after a broken connection, and to follow redirects."""
    try:
        response = await handler(request)
    except (ClientOSError, ServerDisconnectedError) as error:
        raise UpstreamRefused(502, _reason(error)) from None
    is_socket = "Upgrade" in request.headers
    if is_socket and response.status != 101:
        response.close()
        raise WSServerHandshakeError(response.request_info, (), status=response.status)
    if not is_socket and response.status < 200:
        response.close()
        raise UpstreamRefused(502, f"it answers {response.status} to a plain request")
    return response


def _url(request: BaseRequest, route: Route) -> URL:
    path, _, query = route.target(request.raw_path).partition("?")
    return URL.build(scheme="http", authority=str(route.upstream), path=path, query_string=query, encoded=True)


def _reason(error: BaseException) -> str:
    """A few words for ``error``."""
    if isinstance(error, ClientResponseError):
        return "what it answers is no sound HTTP"
    if isinstance(error, OSError) and error.strerror:
        is_number = error.errno is not None and error.errno > 0
        return f"no connection ({os.strerror(error.errno or 0) if is_number else error.strerror})"
    return f"no connection ({type(error).__name__})"
