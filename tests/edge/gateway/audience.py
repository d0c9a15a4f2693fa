"""A process of viewers and of the game hosts that they watch: ``python -m tests.edge.gateway.audience HOST...``.

It listens as a game host at each HOST, an IP address, and answers ``{"ports": null}`` with the ports.
``{"come": N, "url": "ws://...", "stay_s": S}``: N viewers come. Each stays for S seconds on average, leaves in one of
several ways, and is followed by another viewer, who tries until a gateway answers.
``{"here": null}``: number of connected viewers; ``{"failures": null}``: failures to connect. ``{"leave": null}``: all
leave, nobody follows, and the answer lists every stay. ``{"lag": null}``: see ``Lag``.

Hosts and viewers share a process, to have one clock and to leave the processor to the gateway.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import count

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.http11 import Request

from tests.edge.line_processes import raise_file_limit, say

CHAT_S = 1.0
AGAIN_S = 0.3
LOOK_S = 0.5
WAYS = ("tab closed", "disconnected", "vanished", "streamer gone", "host dead")
_TICK_S = 0.02


@dataclass(slots=True)
class Stay:
    """One connection through the gateway. Times are milliseconds since the epoch; ``None``: did not happen.

    Attributes:
        name: name of the viewer and of the streamer; ``host``: address of the game host.
        reached_ms: the host had the upgrade request, but had not answered yet.
        opened_ms: the viewer had the answer.
        left_ms: one side was about to close; also ``None`` if both were cut off.
        gone_ms: the other side noticed; if they were cut off, both noticed.
        way: how it ended, or "cut off".
    """

    name: str
    host: str
    reached_ms: float | None = None
    opened_ms: float | None = None
    left_ms: float | None = None
    gone_ms: float | None = None
    way: str = "cut off"


def now_ms() -> float:
    return time.time() * 1000


class Hosts:
    """Game hosts that echo every message."""

    def __init__(self) -> None:
        self.stays: dict[str, Stay] = {}
        self.open: dict[str, ServerConnection] = {}

    async def listen(self, address: str) -> int:
        """Its port."""
        server: Server = await serve(
            self._serve, address, 0, process_request=self._reached, ping_interval=None, compression=None
        )
        port: int = server.sockets[0].getsockname()[1]
        return port

    def _reached(self, connection: ServerConnection, request: Request) -> None:
        self.stays[_name(request)].reached_ms = now_ms()

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        name = _name(connection.request)
        self.open[name] = connection
        with suppress(ConnectionClosed):
            async for message in connection:
                await connection.send(message)
        await connection.wait_closed()
        stay = self.stays[name]
        stay.gone_ms = max(stay.gone_ms or 0, now_ms())
        del self.open[name]


def _name(request: Request) -> str:
    return request.path.rpartition("/")[2]


class Audience:
    """The viewers. Attributes: ``failures``: number of failed connections, by reason."""

    def __init__(self, hosts: Hosts, addresses: list[str]) -> None:
        self._hosts = hosts
        self._addresses = addresses
        self._numbers = count()
        # Viewers do the same in every run, as far as the machine's speed allows.
        self._random = random.Random(7)
        self.failures: Counter[str] = Counter()
        self._seats: list[asyncio.Task[None]] = []
        self._is_over = asyncio.Event()

    def come(self, number: int, url: str, stay_s: float) -> None:
        self._seats += [asyncio.create_task(self._take_turns(url, stay_s)) for _ in range(number)]

    async def leave(self) -> list[Stay]:
        """Let all viewers leave, gradually; return every stay that either side knew of."""
        self._is_over.set()
        await asyncio.gather(*self._seats)
        async with asyncio.timeout(60):
            while self._hosts.open:
                await asyncio.sleep(0.02)
        return [stay for stay in self._hosts.stays.values() if stay.reached_ms or stay.opened_ms]

    @property
    def _spread_s(self) -> float:
        """Fifty a second, so that arrivals and departures do not load the machine."""
        return len(self._seats) / 50

    async def _take_turns(self, url: str, stay_s: float) -> None:
        """One seat, taken by one viewer after another."""
        await self._pause(self._spread_s * self._random.random())
        while not self._is_over.is_set():
            number = next(self._numbers)
            host = self._addresses[number % len(self._addresses)]
            stay = self._hosts.stays[f"viewer-{number}"] = Stay(f"viewer-{number}", host)
            try:
                async with connect(
                    f"{url}/{host}/{stay.name}", ping_interval=None, proxy=None, open_timeout=60, compression=None
                ) as viewer:
                    stay.opened_ms = now_ms()
                    await self._watch(viewer, stay, self._random.expovariate(1 / stay_s))
            except (OSError, InvalidHandshake, EOFError) as error:
                self.failures[type(error).__name__] += 1
            await self._pause(AGAIN_S * (1 + self._random.random()))

    async def _watch(self, viewer: ClientConnection, stay: Stay, stay_s: float) -> None:
        # Half of the viewers send only the first message, like viewers whose stream plays.
        chat_s = self._random.choice([CHAT_S, float("inf")])
        now_s = time.monotonic()
        until_s, chat_at_s = now_s + stay_s, now_s + chat_s
        try:
            await viewer.send(json.dumps({"type": "subscribe", "streamerId": stay.name}))
            while now_s < until_s and not self._is_over.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(until_s - now_s, chat_at_s - now_s, LOOK_S)):
                        await viewer.recv()
                now_s = time.monotonic()
                if now_s >= chat_at_s:
                    chat_at_s += chat_s
                    await viewer.send('{"type":"ping","time":1}')
            if self._is_over.is_set():
                await asyncio.sleep(self._spread_s * self._random.random())
            await self._part(viewer, stay)
        except ConnectionClosed:
            stay.gone_ms = max(stay.gone_ms or 0, now_ms())

    async def _part(self, viewer: ClientConnection, stay: Stay) -> None:
        """End the connection, by the viewer or by the host, with or without a close frame."""
        way = stay.way = self._random.choice(WAYS)
        host = self._hosts.open.get(stay.name)
        stay.left_ms = now_ms()
        if way == "vanished":
            viewer.transport.abort()
        elif host is None or way in ("tab closed", "disconnected"):
            await viewer.close(1001 if way == "tab closed" else 1000)
        else:
            if way == "host dead":
                host.transport.abort()
            else:
                await host.close(1001)
            await viewer.wait_closed()
            # This side has to notice it.
            stay.gone_ms = now_ms()

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._is_over.wait(), seconds)


class Lag:
    """The longest delay of a due action in this process; on a busy machine any other process may be as late."""

    def __init__(self) -> None:
        self.most_ms = 0.0

    async def watch(self) -> None:
        while True:
            begun_ms = now_ms()
            await asyncio.sleep(_TICK_S)
            self.most_ms = max(self.most_ms, now_ms() - begun_ms - _TICK_S * 1000)


async def perform(addresses: list[str]) -> None:
    """Carry out the commands on standard input until it ends."""
    hosts = Hosts()
    audience = Audience(hosts, addresses)
    lag = Lag()
    watching = asyncio.create_task(lag.watch())
    ports = {address: await hosts.listen(address) for address in addresses}
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    say("ready")
    while line := await lines.readline():
        match json.loads(line):
            case {"ports": _}:
                say(ports)
            case {"come": number, "url": url, "stay_s": stay_s}:
                audience.come(number, url, stay_s)
                say(number)
            case {"here": _}:
                say(len(hosts.open))
            case {"failures": _}:
                say(audience.failures)
            case {"lag": _}:
                say(lag.most_ms)
            case {"leave": _}:
                say([asdict(stay) for stay in await audience.leave()])
    watching.cancel()


if __name__ == "__main__":
    raise_file_limit()
    asyncio.run(perform(sys.argv[1:]))
