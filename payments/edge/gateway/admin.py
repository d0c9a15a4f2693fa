"""Health, metrics and the spool, on an address of their own, because they are not for viewers."""

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

_CHUNK_LINES = 100
"""Formatting so many lines takes half a millisecond."""


class Admin:
    """Serves the admin address. Attributes: ``is_stopping``: true makes ``/readyz`` answer 503."""

    def __init__(self, reporter: Reporter, meters: Meters, spool_dir: Path) -> None:
        self.is_stopping = False
        self._reporter = reporter
        self._meters = meters
        self._collector = GatewayCollector(meters, reporter.status, lambda: self._unready() is None)
        self._spool_dir = str(spool_dir.resolve())
        # asyncio's own threads resolve names of game hosts; a disk that hangs must not block them.
        self._executor = ThreadPoolExecutor(1)

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
                return Response(body=self._collector.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})
        return Response(status=404, text="not found; try /healthz, /readyz, /metrics or /spool\n")

    def _ready(self) -> Response:
        """Ready even while Payments is away, because the spool keeps events; not ready if it cannot write them."""
        reason = self._unready()
        status = self._reporter.status()
        fields = {"viewers": self._meters.viewers, "pending": status.pending, "last_error": status.last_error}
        if reason is None:
            return _json(200, {"status": "ok", **fields})
        return _json(503, {"status": "unready", "why": reason, **fields})

    def _unready(self) -> str | None:
        return "the gateway is stopping" if self.is_stopping else self._reporter.status().spool_error

    async def _spool(self, request: BaseRequest) -> StreamResponse:
        """Show the spool, or resend dead letters. ``?folder=``: answer only if that is the spool's folder."""
        if not _is_from_this_machine(request):
            return _json(403, {"error": "the spool is only served to this machine"})
        if (folder := request.query.get("folder", self._spool_dir)) != self._spool_dir:
            return _json(409, {"error": f"this gateway's spool is {self._spool_dir}, not {folder}"})
        loop = asyncio.get_running_loop()
        try:
            if request.method == "POST":
                work = partial(self._reporter.resend, _read_numbers(await request.read()))
                return _json(200, {"resent": await loop.run_in_executor(self._executor, work)})
            lines = to_json_lines(*await loop.run_in_executor(self._executor, self._reporter.contents))
        except (ValueError, Rejected) as error:
            return _json(404 if isinstance(error, Rejected) else 400, {"error": str(error)})
        except OSError as error:
            reason = self._reporter.status().spool_error or error.strerror
            return _json(503, {"error": f"the spool cannot be read now: {reason}"})
        response = StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        while chunk := b"".join(islice(lines, _CHUNK_LINES)):
            await response.write(chunk)
            # write() never yields for a fast reader, so let viewers have their turn here.
            await asyncio.sleep(0)
        return response


def _is_from_this_machine(request: BaseRequest) -> bool:
    """Whether the peer's address is loopback, or the one it connected to: a machine uses that to reach itself."""
    if request.transport is None:
        return False
    peer, own = (request.transport.get_extra_info(name)[0] for name in ("peername", "sockname"))
    return peer == own or ip_address(peer).is_loopback


def _read_numbers(body: bytes) -> Collection[int] | None:
    """The numbers of the dead letters to resend; ``None``: all. Raises ``ValueError``, which names the field."""
    match read_strictly(body):
        case {"all": True, **others} if not others:
            return None
        case {"numbers": [_, *_] as numbers, **others} if not others and all(type(each) is int for each in numbers):
            return set(numbers)
    raise ValueError('give either "numbers", a list of integers, or "all": true, and nothing else')


def _json(status: int, fields: dict[str, Any]) -> Response:
    return Response(
        status=status, body=json.dumps(fields).encode() + b"\n", headers={"Content-Type": "application/json"}
    )
