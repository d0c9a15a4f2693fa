"""Simulated game hosts: ``/power``, signalling over a WebSocket, and a page.

No game runs and no video plays. A viewer gets a greeting and a list of streamers; other messages are echoed.
"""

import asyncio
import json
import random
import socket
from collections.abc import Sequence
from importlib.resources import files

from aiohttp import WSCloseCode, WSMsgType, web

from payments.cli.demo.stage import Place
from payments.errors import Unavailable

NAMES = ("lisbon", "oslo", "quito")
AWAKE, SLEEPING = "awake", "sleeping"

_FIRST_SLEEP_S = 2.5
_ASLEEP_S = (3.0, 6.0)
_ALL_AWAKE_S = (2.0, 5.0)


class DemoHost:
    """One simulated host.

    Attributes:
        place: where it listens; ``is_awake``: whether it accepts viewers.
    """

    def __init__(self, name: str, listener: socket.socket) -> None:
        address, port = listener.getsockname()
        self.place = Place(name, address, port)
        self.is_awake = True
        self._channels: set[web.WebSocketResponse] = set()
        app = web.Application()
        app.router.add_get("/power", self._power)
        app.router.add_get("/", self._welcome)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        self._listener = listener

    @classmethod
    async def open(cls, name: str, address: str) -> "DemoHost":
        """Start a host on a free port of ``address``. Raises ``Unavailable`` if that fails."""
        try:
            host = cls(name, socket.create_server((address, 0)))
        except OSError as error:
            raise Unavailable(f"PAY-M04 {address}: no host of the demo can listen there ({error.strerror})") from error
        await host._runner.setup()
        await web.SockSite(host._runner, host._listener).start()
        return host

    async def close(self) -> None:
        await self.send_away()
        await self._runner.cleanup()

    async def sleep(self, seconds: float) -> None:
        """Disconnect all viewers, and accept none for ``seconds``."""
        self.is_awake = False
        await self.send_away()
        await asyncio.sleep(seconds)
        self.is_awake = True

    async def send_away(self) -> None:
        goodbyes = (each.close(code=WSCloseCode.GOING_AWAY) for each in list(self._channels))
        await asyncio.gather(*goodbyes, return_exceptions=True)

    async def _power(self, _: web.Request) -> web.StreamResponse:
        return web.json_response({"state": AWAKE if self.is_awake else SLEEPING})

    async def _welcome(self, request: web.Request) -> web.StreamResponse:
        """Serve the page, or a viewer's WebSocket."""
        if not self.is_awake:
            raise web.HTTPServiceUnavailable(text="asleep\n")
        channel = web.WebSocketResponse(timeout=2)
        if not channel.can_prepare(request):
            page = files("payments.cli.demo").joinpath("page.html").read_text()
            return web.Response(text=page, content_type="text/html")
        await channel.prepare(request)
        self._channels.add(channel)
        try:
            await self._talk(channel)
        finally:
            self._channels.discard(channel)
        return channel

    async def _talk(self, channel: web.WebSocketResponse) -> None:
        await channel.send_json({"type": "config", "peerConnectionOptions": {}})
        async for message in channel:
            if message.type is WSMsgType.BINARY:
                await channel.send_bytes(message.data)
            elif message.type is WSMsgType.TEXT:
                await channel.send_str(self._answer(message.data))

    def _answer(self, text: str) -> str:
        try:
            message = json.loads(text)
        except ValueError:
            return text
        if isinstance(message, dict) and message.get("type") == "listStreamers":
            return json.dumps({"type": "streamerList", "ids": [self.place.streamer_id]})
        return text


async def sleep_in_turn(hosts: Sequence[DemoHost], chance: random.Random) -> None:
    """Put one host after the other to sleep for a while, until cancelled."""
    await asyncio.sleep(_FIRST_SLEEP_S)
    while True:
        for host in hosts:
            await host.sleep(chance.uniform(*_ASLEEP_S))
            await asyncio.sleep(chance.uniform(*_ALL_AWAKE_S))
