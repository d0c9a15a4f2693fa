"""Passes plain HTTP requests to the game host, and its responses back, both unchanged and as they arrive."""

import asyncio
import logging
import socket
import struct
from collections.abc import AsyncIterator

from aiohttp import ClientError, ClientResponse, HttpVersion11
from aiohttp.web import BaseRequest, RequestPayloadError, Response, StreamResponse

from payments.clock import monotonic_s
from payments.edge.gateway.headers import to_viewer
from payments.edge.gateway.metrics import Meters
from payments.edge.gateway.routes import Route
from payments.edge.gateway.upstream import (
    SILENT_S,
    STREAMER_PORT_STATUS,
    UpstreamRefused,
    Upstreams,
    warn_of_streamer_port,
)
from payments.edge.log_throttle import LogThrottle

log = logging.getLogger(__name__)


class RequestBody:
    """Body of a viewer's request. ``is_broken``: it is incomplete, malformed or too slow."""

    def __init__(self, request: BaseRequest) -> None:
        self.is_broken = False
        self._content = request.content

    async def chunks(self) -> AsyncIterator[bytes]:
        while True:
            try:
                async with asyncio.timeout(SILENT_S):
                    chunk = await self._content.readany()
            except (RequestPayloadError, OSError):
                self.is_broken = True
                raise
            if not chunk:
                return
            yield chunk


class PageResponse(StreamResponse):
    """The game host's response. Without a Content-Type, aiohttp would add one, which browsers would then obey."""

    def __init__(self, response: ClientResponse) -> None:
        self._kept = to_viewer(response.headers)
        super().__init__(status=response.status, reason=response.reason, headers=self._kept)

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        for name in ("Content-Type", "Server"):
            if name not in self._kept:
                self.headers.pop(name, None)


class Pages:
    """Serves all requests that do not ask for a WebSocket."""

    def __init__(self, upstreams: Upstreams, meters: Meters, max_requests: int) -> None:
        """``max_requests``: most requests at a time."""
        self._upstreams = upstreams
        self._meters = meters
        self._max_requests = max_requests
        self._open_requests = 0
        self._throttle = LogThrottle(monotonic_s)

    async def serve(self, request: BaseRequest, route: Route) -> StreamResponse:
        """Answer a request. The response is sent when this returns."""
        if self._open_requests >= self._max_requests:
            return self._answer(503, "too many requests", {"Retry-After": "1"})
        self._open_requests += 1
        body = RequestBody(request) if request.body_exists else None
        try:
            return await self._forward(request, route, body)
        except UpstreamRefused as refused:
            if body is not None and body.is_broken:
                answer = self._answer(400, "the request body is broken or too slow")
                answer.force_close()
                return answer
            if self._throttle.allow(str(route.upstream)):
                log.warning("PAY-E05 %s: the game host serves no pages: %s", route.upstream, refused)
            return self._answer(refused.status, str(refused))
        finally:
            self._open_requests -= 1

    async def _forward(self, request: BaseRequest, route: Route, body: RequestBody | None) -> StreamResponse:
        if request.headers.get("Expect", "").lower() == "100-continue" and request.version >= HttpVersion11:
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        async with await self._upstreams.request(request, route, None if body is None else body.chunks()) as response:
            self._meters.pages[f"{response.status // 100}xx"] += 1
            if response.status == STREAMER_PORT_STATUS and self._throttle.allow(f"{route.upstream} {response.status}"):
                warn_of_streamer_port(route.upstream)
            answer = PageResponse(response)
            await answer.prepare(request)
            await _copy(response, answer, request)
            return answer

    def _answer(self, status: int, reason: str, headers: dict[str, str] | None = None) -> Response:
        self._meters.pages[f"{status // 100}xx"] += 1
        return Response(status=status, text=f"{reason}\n", headers=headers)


async def _copy(response: ClientResponse, answer: StreamResponse, request: BaseRequest) -> None:
    """Copy the body. If it breaks off, break off too."""
    try:
        async for chunk in response.content.iter_any():
            async with asyncio.timeout(SILENT_S):
                await answer.write(chunk)
        await answer.write_eof()
    except (ClientError, OSError, TimeoutError):
        answer.force_close()
        if request.transport is not None:
            if request.version < HttpVersion11:
                # In HTTP/1.0 an orderly close may mark the end of the body, so only a reset shows that it is cut.
                connection = request.transport.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            request.transport.abort()
