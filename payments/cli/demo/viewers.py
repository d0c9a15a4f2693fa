"""Viewers who come, subscribe to the streamer there, stay a while and leave, by Pixel Streaming's messages."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress

from aiohttp import ClientError, ClientSession, ClientWebSocketResponse, ClientWSTimeout, WSCloseCode, WSMsgType

from payments.cli.demo.hosts import DemoHost

_PATIENCE = ClientWSTimeout(ws_close=2)
_FIRST_EVERY_S = 0.4
_STAY_S = (1.5, 8.0)
_AWAY_S = (0.5, 4.0)
_CLOSINGS = (WSCloseCode.OK, WSCloseCode.GOING_AWAY)
"""As the frontend's ``disconnect()`` does, and as a closed tab."""


async def come_and_go(
    http: ClientSession, gateway: str, hosts: Sequence[DemoHost], count: int, chance: random.Random
) -> None:
    """``count`` viewers at most, one after the other at first, until this is cancelled; then all leave."""
    async with asyncio.TaskGroup() as viewers:
        for number in range(count):
            viewers.create_task(_live(http, gateway, hosts, number * _FIRST_EVERY_S, chance))


async def _live(
    http: ClientSession, gateway: str, hosts: Sequence[DemoHost], first_s: float, chance: random.Random
) -> None:
    await asyncio.sleep(first_s)
    while True:
        awake = [host for host in hosts if host.is_awake]
        if awake:
            # A host may fall asleep in this moment: the gateway then answers 502, and nothing is reported.
            with suppress(ClientError, ConnectionError):
                await _visit(http, f"http://{gateway}/{chance.choice(awake).place.name}", chance)
        await asyncio.sleep(chance.uniform(*_AWAY_S))


async def _visit(http: ClientSession, url: str, chance: random.Random) -> None:
    """One session, ended by whoever has enough of it first."""
    closing = chance.choice(_CLOSINGS)
    async with http.ws_connect(url, timeout=_PATIENCE) as channel:
        try:
            await channel.send_json({"type": "listStreamers"})
            with suppress(TimeoutError):
                async with asyncio.timeout(chance.uniform(*_STAY_S)):
                    await _watch(channel)
        finally:
            # While all leave, a gateway that has died must keep nobody.
            with suppress(ClientError, ConnectionError):
                await channel.close(code=closing)


async def _watch(channel: ClientWebSocketResponse) -> None:
    """Subscribe to the first streamer that there is; returns when the host ends it."""
    async for message in channel:
        if message.type is WSMsgType.TEXT:
            said = message.json()
            if said["type"] == "streamerList":
                await channel.send_json({"type": "subscribe", "streamerId": said["ids"][0]})
