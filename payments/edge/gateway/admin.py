"""Health and metrics, on an address of their own: they are not for viewers."""

import json
from typing import Any

from aiohttp.web import BaseRequest, Response, StreamResponse
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from payments.edge.gateway.metrics import Meters, Shown
from payments.edge.reporter import Reporter


class Admin:
    """Attributes: ``is_stopping``, once set, and no more viewers are to be sent here."""

    def __init__(self, reporter: Reporter, meters: Meters) -> None:
        self.is_stopping = False
        self._reporter = reporter
        self._meters = meters
        self._shown = Shown(meters, reporter.status, lambda: self._unready() is None)

    async def serve(self, request: BaseRequest) -> StreamResponse:
        if request.method not in ("GET", "HEAD"):
            return Response(status=405, headers={"Allow": "GET, HEAD"})
        match request.path:
            case "/healthz":
                return _json(200, {"status": "ok"})
            case "/readyz":
                return self._ready()
            case "/metrics":
                return Response(body=self._shown.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})
        return Response(status=404, text="there are /healthz, /readyz and /metrics\n")

    def _ready(self) -> Response:
        """What waits for Payments is no reason to keep viewers away: it is kept. Where it cannot be kept, that is."""
        why = self._unready()
        status = self._reporter.status()
        said = {"viewers": self._meters.viewers, "pending": status.pending, "last_error": status.last_error}
        if why is None:
            return _json(200, {"status": "ok", **said})
        return _json(503, {"status": "unready", "why": why, **said})

    def _unready(self) -> str | None:
        return "the gateway is stopping" if self.is_stopping else self._reporter.status().spool_error


def _json(status: int, said: dict[str, Any]) -> Response:
    return Response(status=status, body=json.dumps(said).encode() + b"\n", headers={"Content-Type": "application/json"})
