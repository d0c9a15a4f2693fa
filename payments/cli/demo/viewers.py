"""Simulated viewers: they connect, subscribe to a streamer, stay a while and leave, with Pixel Streaming's messages."""

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
"""Close codes of the frontend's ``disconnect()`` and of a closed tab."""


async def come_and_go(
    http: ClientSession, gateway: str, hosts: Sequence[DemoHost], count: int, chance: random.Random
) -> None:
    """Run up to ``count`` viewers, who first arrive one by one. When cancelled, all leave."""
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
            # If the host falls asleep at this moment, the gateway answers 502 and reports nothing.
            with suppress(ClientError, ConnectionError):
                await _visit(http, f"http://{gateway}/{chance.choice(awake).place.name}", chance)
        await asyncio.sleep(chance.uniform(*_AWAY_S))


async def _visit(http: ClientSession, url: str, chance: random.Random) -> None:
    """One session, ended by the viewer or by the host."""
    closing = chance.choice(_CLOSINGS)
    async with http.ws_connect(url, timeout=_PATIENCE) as channel:
        try:
            await channel.send_json({"type": "listStreamers"})
            with suppress(TimeoutError):
                async with asyncio.timeout(chance.uniform(*_STAY_S)):
                    await _watch(channel)
        finally:
            # A dead gateway must not keep viewers from leaving.
            with suppress(ClientError, ConnectionError):
                await channel.close(code=closing)


async def _watch(channel: ClientWebSocketResponse) -> None:
    """Subscribe to the first streamer; return when the host ends the session."""
    async for message in channel:
        if message.type is WSMsgType.TEXT:
            answer = message.json()
            if answer["type"] == "streamerList":
                await channel.send_json({"type": "subscribe", "streamerId": answer["ids"][0]})
