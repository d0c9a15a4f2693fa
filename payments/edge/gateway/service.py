"""The gateway's process: sockets, signals, reload, drain."""

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress

from aiohttp.web import BaseRequest, Server, ServerRunner, StreamResponse, TCPSite

from payments.clock import monotonic_s
from payments.edge.gateway.admin import Admin
from payments.edge.gateway.dispatcher import Dispatcher
from payments.edge.gateway.metrics import Meters
from payments.edge.gateway.pages import Pages
from payments.edge.gateway.routes import Routes, read_routes, single_route
from payments.edge.gateway.upstream import Upstreams
from payments.edge.gateway.viewer import Viewers
from payments.edge.reporter import Reporter
from payments.edge.settings import EdgeSettings
from payments.endpoints import Endpoint
from payments.errors import Misconfigured
from payments.notify import notify, watchdog_s

log = logging.getLogger(__name__)

_IDLE_S = 20.0
"""Time limit for a request's headers, and for an idle connection between requests."""

_BACKLOG = 1024
_WRITE_S = 0.5
"""Minimum time for the reporter to write its events to disk."""

Handler = Callable[[BaseRequest], Awaitable[StreamResponse]]


def load_routes(settings: EdgeSettings) -> Routes:
    """The routes of the settings. Raises ``Misconfigured``."""
    if (settings.upstream is None) == (settings.routes_path is None):
        raise Misconfigured(
            "PAY-E01 PS_GATEWAY_UPSTREAM, PS_GATEWAY_ROUTES_PATH: set one of them, and not both: where viewers are sent"
        )
    if settings.upstream is not None:
        return single_route(settings.upstream)
    assert settings.routes_path is not None
    try:
        text = settings.routes_path.read_bytes()
    except OSError as error:
        raise Misconfigured(f"PAY-E02 PS_GATEWAY_ROUTES_PATH: {settings.routes_path}: {error.strerror}") from None
    return read_routes(text, str(settings.routes_path))


def load_routes_and_warn(settings: EdgeSettings) -> Routes:
    """Same as ``load_routes``, and log warnings about the names of settings."""
    for warning in settings.name_warnings():
        log.warning(warning)
    return load_routes(settings)


class Gateway:
    """A running gateway."""

    def __init__(self, settings: EdgeSettings, routes: Routes, reporter: Reporter, upstreams: Upstreams) -> None:
        self._settings = settings
        self._reporter = reporter
        self._meters = Meters()
        self._viewers = Viewers(settings, reporter, upstreams, self._meters)
        pages = Pages(upstreams, self._meters, settings.max_viewers)
        self._dispatcher = Dispatcher(routes, self._viewers, pages, self._meters)
        self._admin = Admin(reporter, self._meters, settings.spool_dir)
        self._stopping, self._hurrying = asyncio.Event(), asyncio.Event()

    async def run(self) -> None:
        """Serve until a signal comes, then drain. Raises ``Misconfigured`` if it cannot listen."""
        async with AsyncExitStack() as opened:
            site = await _listen("PS_GATEWAY_LISTEN", self._settings.listen, self._dispatcher.serve, opened)
            await _listen("PS_GATEWAY_ADMIN_LISTEN", self._settings.admin_listen, self._admin.serve, opened)
            self._reporter.start()
            self._take_signals()
            for work in (self._viewers.run(), _feed_watchdog()):
                task = asyncio.create_task(work)
                opened.callback(task.cancel)
            log.info("started", extra={"listen": str(self._settings.listen)})
            notify("READY=1")
            await self._stopping.wait()
            await self._drain(site)

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload)

    def _stop(self) -> None:
        (self._hurrying if self._stopping.is_set() else self._stopping).set()

    def _reload(self) -> None:
        notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            self._dispatcher.routes = load_routes(self._settings)
            log.info("the routes were read again")
        except Misconfigured as error:
            log.error("PAY-E04 the routes stay as they were: %s", error)  # noqa: TRY400
        notify("READY=1")

    async def _drain(self, site: TCPSite) -> None:
        notify("STOPPING=1")
        log.info("stopping", extra={"viewers": self._meters.viewers})
        deadline_s = monotonic_s() + self._settings.drain_s
        self._admin.is_stopping = True
        await site.stop()
        await self._unless_hurried(self._viewers.close_all(), self._settings.drain_s / 2)
        closed = asyncio.Event()
        loop = asyncio.get_running_loop()
        left_s = max(_WRITE_S, deadline_s - monotonic_s())

        def close() -> None:
            self._reporter.close(left_s)
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(closed.set)

        # A daemon thread, so that a hurried stop need not wait for it.
        threading.Thread(target=close, name="closing", daemon=True).start()
        await self._unless_hurried(closed.wait(), left_s + _WRITE_S)
        if self._hurrying.is_set():
            # Give the reporter a moment to write its events to disk.
            with suppress(TimeoutError):
                await asyncio.wait_for(closed.wait(), _WRITE_S)
        log.info("stopped", extra={"pending": self._reporter.status().pending})

    async def _unless_hurried(self, work: Awaitable[object], timeout_s: float) -> None:
        tasks = {asyncio.ensure_future(work), asyncio.ensure_future(self._hurrying.wait())}
        await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()


async def serve(settings: EdgeSettings) -> None:
    """Run a gateway until a signal comes. Raises ``Misconfigured`` if it cannot start."""
    routes = load_routes_and_warn(settings)
    # It logs a warning for every viewer whose subprotocol the game host did not choose.
    logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)
    async with Upstreams(settings.max_message_bytes, is_behind_proxy=settings.behind_proxy) as upstreams:
        await Gateway(settings, routes, Reporter(settings), upstreams).run()


async def _listen(name: str, at: Endpoint, handler: Handler, opened: AsyncExitStack) -> TCPSite:
    silent = logging.getLogger(f"{__name__}.aiohttp")
    # aiohttp logs a traceback for each client that does not speak HTTP. Our own bugs are logged where they occur.
    silent.setLevel(logging.CRITICAL)
    server = Server(
        handler, access_log=None, logger=silent, keepalive_timeout=_IDLE_S, auto_decompress=False, max_field_size=16384
    )
    runner = ServerRunner(server, shutdown_timeout=1.0)
    await runner.setup()
    opened.push_async_callback(runner.cleanup)
    # asyncio opens [::] for IPv6 only; without a host it opens a socket for each family.
    site = TCPSite(runner, None if at.host == "::" else at.host, at.port, backlog=_BACKLOG)
    try:
        await site.start()
    except OSError as error:
        raise Misconfigured(f"PAY-E03 {name}: cannot listen on {at} ({os.strerror(error.errno or 0)})") from None
    return site


async def _feed_watchdog() -> None:
    """Tell the service manager that the event loop is alive, as often as it asks."""
    limit_s = watchdog_s()
    while limit_s is not None:
        notify("WATCHDOG=1")
        await asyncio.sleep(limit_s / 3)
