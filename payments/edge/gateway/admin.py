"""Health, metrics and the spool, on an address of their own: they are not for viewers."""

import asyncio
import json
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import ip_address
from itertools import islice
from pathlib import Path
from typing import Any

from aiohttp.web import BaseRequest, Response, StreamResponse
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from payments.edge.events import to_json_lines
from payments.edge.gateway.metrics import GatewayCollector, Meters
from payments.edge.reporter import Reporter
from payments.errors import Rejected
from payments.strictjson import read_strictly

_PIECE_LINES = 100
"""To make them takes half a millisecond."""


class Admin:
    """Attributes: ``is_stopping``, once set, and no more viewers are to be sent here."""

    def __init__(self, reporter: Reporter, meters: Meters, spool_dir: Path) -> None:
        self.is_stopping = False
        self._reporter = reporter
        self._meters = meters
        self._shown = GatewayCollector(meters, reporter.status, lambda: self._unready() is None)
        self._spool_dir = str(spool_dir.resolve())
        # asyncio's own threads look up the names of game hosts; those must not wait for a disk that hangs.
        self._threads = ThreadPoolExecutor(1)

    async def serve(self, request: BaseRequest) -> StreamResponse:
        if (request.method, request.path) in (("GET", "/spool"), ("POST", "/spool/resend")):
            return await self._spool(request)
        if request.method not in ("GET", "HEAD"):
            return Response(status=405, headers={"Allow": "GET, HEAD"})
        match request.path:
            case "/healthz":
                return _json(200, {"status": "ok"})
            case "/readyz":
                return self._ready()
            case "/metrics":
                return Response(body=self._shown.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})
        return Response(status=404, text="there are /healthz, /readyz, /metrics and /spool\n")

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

    async def _spool(self, request: BaseRequest) -> StreamResponse:
        """Show the spool, or send dead letters again. ``?folder=``: only if that is the spool's folder."""
        if not _is_from_this_machine(request):
            return _json(403, {"error": "only this machine may ask for the spool"})
        if (folder := request.query.get("folder", self._spool_dir)) != self._spool_dir:
            return _json(409, {"error": f"the spool of this gateway is {self._spool_dir}, and not {folder}"})
        loop = asyncio.get_running_loop()
        try:
            if request.method == "POST":
                work = partial(self._reporter.resend, _read_numbers(await request.read()))
                return _json(200, {"resent": await loop.run_in_executor(self._threads, work)})
            lines = to_json_lines(*await loop.run_in_executor(self._threads, self._reporter.contents))
        except (ValueError, Rejected) as error:
            return _json(404 if isinstance(error, Rejected) else 400, {"error": str(error)})
        except OSError as error:
            why = self._reporter.status().spool_error or error.strerror
            return _json(503, {"error": f"the spool cannot be read at present: {why}"})
        response = StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        while piece := b"".join(islice(lines, _PIECE_LINES)):
            await response.write(piece)
            # For a fast reader write() never waits, and viewers would have no turn.
            await asyncio.sleep(0)
        return response


def _is_from_this_machine(request: BaseRequest) -> bool:
    """By loopback; or from the very address that was asked, as a machine reaches its other addresses."""
    if request.transport is None:
        return False
    peer, own = (request.transport.get_extra_info(name)[0] for name in ("peername", "sockname"))
    return peer == own or ip_address(peer).is_loopback


def _read_numbers(body: bytes) -> Collection[int] | None:
    """Of which dead letters; ``None``: of all. Raises ``ValueError``, which names the field."""
    match read_strictly(body):
        case {"all": True, **others} if not others:
            return None
        case {"numbers": [_, *_] as numbers, **others} if not others and all(type(each) is int for each in numbers):
            return set(numbers)
    raise ValueError('"numbers" must be a list of whole numbers, or "all" must be true; one of them, and nothing else')


def _json(status: int, said: dict[str, Any]) -> Response:
    return Response(status=status, body=json.dumps(said).encode() + b"\n", headers={"Content-Type": "application/json"})
