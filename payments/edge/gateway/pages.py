"""Plain HTTP goes through to the game host: any request, as it is, and so does the answer, as it comes."""

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


class Body:
    """What a viewer sends. ``is_broken``: he has not sent all of it, or not what may be sent, or waited too long."""

    def __init__(self, request: BaseRequest) -> None:
        self.is_broken = False
        self._content = request.content

    async def pieces(self) -> AsyncIterator[bytes]:
        while True:
            try:
                async with asyncio.timeout(SILENT_S):
                    piece = await self._content.readany()
            except (RequestPayloadError, OSError):
                self.is_broken = True
                raise
            if not piece:
                return
            yield piece


class PageResponse(StreamResponse):
    """What the game host answers. aiohttp would add a type where it gives none, which browsers then go by."""

    def __init__(self, theirs: ClientResponse) -> None:
        self._kept = to_viewer(theirs.headers)
        super().__init__(status=theirs.status, reason=theirs.reason, headers=self._kept)

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        for name in ("Content-Type", "Server"):
            if name not in self._kept:
                self.headers.pop(name, None)


class Pages:
    """All requests that ask for no WebSocket."""

    def __init__(self, upstreams: Upstreams, meters: Meters, most: int) -> None:
        """``most``: how many there may be at a time."""
        self._upstreams = upstreams
        self._meters = meters
        self._most = most
        self._under_way = 0
        self._throttle = LogThrottle(monotonic_s)

    async def serve(self, request: BaseRequest, route: Route) -> StreamResponse:
        """The answer, which is sent when this returns."""
        if self._under_way >= self._most:
            return self._answer(503, "too many requests", {"Retry-After": "1"})
        self._under_way += 1
        body = Body(request) if request.body_exists else None
        try:
            return await self._pass(request, route, body)
        except UpstreamRefused as refused:
            if body is not None and body.is_broken:
                answer = self._answer(400, "the body of the request is broken, or takes too long")
                answer.force_close()
                return answer
            if self._throttle.allow(str(route.upstream)):
                log.warning("PAY-E05 %s: the game host serves no pages: %s", route.upstream, refused)
            return self._answer(refused.status, str(refused))
        finally:
            self._under_way -= 1

    async def _pass(self, request: BaseRequest, route: Route, body: "Body | None") -> StreamResponse:
        if request.headers.get("Expect", "").lower() == "100-continue" and request.version >= HttpVersion11:
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        async with await self._upstreams.ask(request, route, None if body is None else body.pieces()) as theirs:
            self._meters.pages[f"{theirs.status // 100}xx"] += 1
            if theirs.status == STREAMER_PORT_STATUS and self._throttle.allow(f"{route.upstream} {theirs.status}"):
                warn_of_streamer_port(route.upstream)
            answer = PageResponse(theirs)
            await answer.prepare(request)
            await _copy(theirs, answer, request)
            return answer

    def _answer(self, status: int, why: str, headers: dict[str, str] | None = None) -> Response:
        self._meters.pages[f"{status // 100}xx"] += 1
        return Response(status=status, text=f"{why}\n", headers=headers)


async def _copy(theirs: ClientResponse, answer: StreamResponse, request: BaseRequest) -> None:
    """The body. Where it breaks off there, it breaks off here."""
    try:
        async for piece in theirs.content.iter_any():
            async with asyncio.timeout(SILENT_S):
                await answer.write(piece)
        await answer.write_eof()
    except (ClientError, OSError, TimeoutError):
        answer.force_close()
        if request.transport is not None:
            if request.version < HttpVersion11:
                # There an end in order may be that of the body: only a reset says that something is missing.
                connection = request.transport.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            request.transport.abort()
