"""Receives all requests of viewers: validates each, finds its route, and hands it on as a WebSocket or a page."""

import logging

from aiohttp.web import BaseRequest, Response, StreamResponse

from payments.edge.gateway.metrics import Meters
from payments.edge.gateway.pages import Pages
from payments.edge.gateway.routes import Routes
from payments.edge.gateway.viewer import Viewers

log = logging.getLogger(__name__)


class Dispatcher:
    """Attributes: ``routes``: may be replaced at any time."""

    def __init__(self, routes: Routes, viewers: Viewers, pages: Pages, meters: Meters) -> None:
        self.routes = routes
        self._viewers = viewers
        self._pages = pages
        self._meters = meters

    async def serve(self, request: BaseRequest) -> StreamResponse:
        try:
            return await self._serve(request)
        except ConnectionError:
            # The viewer left meanwhile.
            raise
        except Exception:
            # A bug that one request triggers must not stop the others.
            log.exception("PAY-E09 a defect in the gateway")
            return _and_close(Response(status=500, text="internal error\n"))

    async def _serve(self, request: BaseRequest) -> StreamResponse:
        if not request.raw_path.startswith("/") or request.method in ("CONNECT", "TRACE"):
            return _and_close(Response(status=400, text="no path, or unsupported method\n"))
        is_socket = request.headers.get("Upgrade", "").strip().lower() == "websocket"
        route = self.routes.find(request.headers.get("Host", ""), request.raw_path)
        if route is None:
            self._count_no_route(is_socket=is_socket)
            answer = Response(status=404, text="no game host for this address\n")
            return _and_close(answer) if is_socket else answer
        return await (self._viewers if is_socket else self._pages).serve(request, route)

    def _count_no_route(self, *, is_socket: bool) -> None:
        if is_socket:
            self._meters.results["no_route"] += 1
        else:
            self._meters.pages["4xx"] += 1


def _and_close(answer: Response) -> Response:
    answer.force_close()
    return answer
