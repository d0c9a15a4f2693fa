"""A viewer's WebSocket, from the upgrade request to the end of the session."""

import asyncio
import logging

from aiohttp import HttpVersion11
from aiohttp.web import BaseRequest, Response, StreamResponse

from payments.clock import monotonic_s
from payments.edge.gateway.connection import Connection, UpstreamSocket, ViewerSocket
from payments.edge.gateway.ending import GATEWAY, RESTART, UPSTREAM, VIEWER, EndCause, Ending
from payments.edge.gateway.link import Link
from payments.edge.gateway.liveness import Liveness
from payments.edge.gateway.metrics import Meters
from payments.edge.gateway.routes import Route
from payments.edge.gateway.upstream import UpstreamRefused, Upstreams
from payments.edge.log_throttle import LogThrottle
from payments.edge.reporter import Reporter
from payments.edge.settings import EdgeSettings
from payments.endpoints import Endpoint

log = logging.getLogger(__name__)

_RETRY_AFTER_S = 5


class Viewers:
    """All viewers. Attributes: ``links``: those of viewers whom a game host has accepted."""

    def __init__(self, settings: EdgeSettings, reporter: Reporter, upstreams: Upstreams, meters: Meters) -> None:
        self.links: set[Link] = set()
        self._settings = settings
        self._reporter = reporter
        self._upstreams = upstreams
        self._meters = meters
        self._throttle = LogThrottle(monotonic_s)
        self._liveness = Liveness(settings.ping_s, settings.heartbeat_interval_s)
        self._connecting: set[asyncio.Task[UpstreamSocket]] = set()
        self._is_stopping = False

    async def run(self) -> None:
        """Check for ever which viewers and game hosts are gone."""
        await self._liveness.run(self.links)

    async def close_all(self) -> None:
        """Close all links and accept no more. Returns when all are gone."""
        self._is_stopping = True
        for connecting in self._connecting:
            connecting.cancel()
        for link in self.links:
            link.finish(Ending(GATEWAY, EndCause.STOPPED, RESTART))
        while self.links or self._connecting:
            await asyncio.sleep(0.01)

    async def serve(self, request: BaseRequest, route: Route) -> StreamResponse:
        """Serve a request for a WebSocket through ``route``, until the session is over."""
        if self._is_stopping:
            return self._refuse("stopping", 503, "the gateway is stopping")
        if len(self.links) + len(self._connecting) >= self._settings.max_viewers:
            if self._throttle.allow("full"):
                log.warning("PAY-E08 PS_GATEWAY_MAX_VIEWERS is reached: %d; others get 503", self._settings.max_viewers)
            return self._refuse("full", 503, "too many viewers")
        if not _is_sound(request):
            answer = self._refuse("bad_request", 400, "not a request for a WebSocket, version 13, by GET and HTTP/1.1")
            answer.headers["Sec-WebSocket-Version"] = "13"
            return answer
        connecting = asyncio.create_task(self._connect(request, route))
        self._connecting.add(connecting)
        try:
            await asyncio.wait([connecting])
        finally:
            self._connecting.discard(connecting)
            connecting.cancel()
        if connecting.cancelled():
            return self._refuse("stopping", 503, "the gateway is stopping")
        try:
            upstream = connecting.result()
        except UpstreamRefused as refused:
            self._log_refusal(route.upstream, str(refused))
            return self._refuse("timeout" if refused.status == 504 else "refused", refused.status, str(refused))
        return await self._link(request, upstream)

    async def _connect(self, request: BaseRequest, route: Route) -> UpstreamSocket:
        started_s = monotonic_s()
        socket = await self._upstreams.connect(request, route)
        self._meters.connect_seconds.observe(monotonic_s() - started_s)
        if self._throttle.clear(str(route.upstream)):
            log.info("%s: the game host takes viewers again", route.upstream)
        return socket

    async def _link(self, request: BaseRequest, socket: UpstreamSocket) -> StreamResponse:
        answer = ViewerSocket(socket.protocol, self._settings.max_message_bytes)
        transport = request.transport
        upstream = Connection(UPSTREAM, socket, socket.transport)
        peer = upstream.peer
        try:
            if transport is None or peer is None or self._is_stopping:
                raise ConnectionResetError
            await answer.prepare(request)
        except ConnectionError:
            # The viewer or the game host left meanwhile; no session has started.
            upstream.hang_up()
            return self._refuse("gone", 502, "the game host is gone")
        viewer = Connection(VIEWER, answer, transport)
        link = Link(viewer, upstream, self._liveness.own_ping, self._liveness.fresh_s, self._meters)
        await self._run(link, peer)
        return answer

    async def _run(self, link: Link, peer: Endpoint) -> None:
        self._meters.results["accepted"] += 1
        self._meters.viewers += 1
        self.links.add(link)
        started_s = monotonic_s()
        session = self._reporter.open(peer.host, peer.port, last_seen_ms=link.last_seen_ms)
        self._liveness.expect(link, session.first_heartbeat_s)
        try:
            ending = await link.run(session)
        finally:
            self.links.discard(link)
            self._meters.viewers -= 1
        self._meters.endings[ending.by, ending.how] += 1
        log.info(
            "a viewer has left",
            extra={
                "session_id": session.session_id,
                "upstream": str(peer),
                "by": ending.by,
                "how": ending.how,
                "code": ending.frame.code or None,
                "seconds": round(monotonic_s() - started_s, 3),
            },
        )

    def _log_refusal(self, upstream: Endpoint, reason: str) -> None:
        if self._throttle.allow(str(upstream)):
            log.warning("PAY-E05 %s: the game host takes no viewer: %s", upstream, reason)

    def _refuse(self, result: str, status: int, reason: str) -> Response:
        self._meters.results[result] += 1
        headers = {"Retry-After": str(_RETRY_AFTER_S)} if status == 503 else {}
        answer = Response(status=status, text=f"{reason}\n", headers=headers)
        # The client may send frames right after its request, and they are not HTTP.
        answer.force_close()
        return answer


def _is_sound(request: BaseRequest) -> bool:
    """Whether it is a handshake as in RFC 6455, section 4.1; aiohttp also accepts drafts of it."""
    try:
        is_handshake = bool(ViewerSocket(None, 0).can_prepare(request))
    except ValueError:
        # aiohttp raises this for headers that are not ASCII.
        return False
    return (
        is_handshake
        and request.method == "GET"
        and request.version >= HttpVersion11
        and request.headers.getall("Sec-WebSocket-Version", []) == ["13"]
        and request.headers.get("Content-Length", "0") == "0"
        and "Transfer-Encoding" not in request.headers
    )
