"""Where every request of a viewer comes in: is it sound, which route does it go by, and does it ask for a WebSocket."""

import logging

from aiohttp.web import BaseRequest, Response, StreamResponse

from payments.edge.gateway.metrics import Meters
from payments.edge.gateway.pages import Pages
from payments.edge.gateway.routes import Routes
from payments.edge.gateway.viewer import Viewers

log = logging.getLogger(__name__)


class Dispatcher:
    """Attributes: ``routes``, which may be replaced at any time."""

    def __init__(self, routes: Routes, viewers: Viewers, pages: Pages, meters: Meters) -> None:
        self.routes = routes
        self._viewers = viewers
        self._pages = pages
        self._meters = meters

    async def serve(self, request: BaseRequest) -> StreamResponse:
        try:
            return await self._serve(request)
        except ConnectionError:
            # The viewer has left in the middle of it.
            raise
        except Exception:
            # A defect of ours that one request brings about must not stop the others.
            log.exception("PAY-E09 a defect in the gateway")
            return _closing(Response(status=500, text="a defect in the gateway\n"))

    async def _serve(self, request: BaseRequest) -> StreamResponse:
        if not request.raw_path.startswith("/") or request.method in ("CONNECT", "TRACE"):
            return _closing(Response(status=400, text="a path is missing, or the method is not for this server\n"))
        is_socket = request.headers.get("Upgrade", "").strip().lower() == "websocket"
        route = self.routes.find(request.headers.get("Host", ""), request.raw_path)
        if route is None:
            self._count_no_route(is_socket=is_socket)
            answer = Response(status=404, text="there is no game host for this address\n")
            return _closing(answer) if is_socket else answer
        return await (self._viewers if is_socket else self._pages).serve(request, route)

    def _count_no_route(self, *, is_socket: bool) -> None:
        if is_socket:
            self._meters.results["no_route"] += 1
        else:
            self._meters.pages["4xx"] += 1


def _closing(answer: Response) -> Response:
    answer.force_close()
    return answer
