"""A process of viewers who measure: ``python -m tests.bench.viewers``, controlled by lines of JSON.

``{"come": N, "url": "ws://..."}``: N viewers connect; the answer is the time in seconds. ``{"talk": seconds,
"every_s": S}``: each sends a small message every S seconds, which the host echoes; the answer is how long each echo
took, in milliseconds. ``{"leave": null}``. ``{"echo": bytes, "url": "ws://..."}``: one viewer sends so many random
bytes in messages of 64 KiB to 1 MiB; the answer is the time in seconds, and whether all came back unchanged.
"""

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.edge.line_processes import raise_file_limit, say

_AT_ONCE = 50
_LEAST_BYTES, _MOST_BYTES = 1 << 16, 1 << 20
_SMALL = json.dumps({"type": "iceCandidate", "candidate": {"candidate": "candidate:" + 100 * "x", "sdpMid": "0"}})


class BenchViewers:
    """Connected viewers, on one event loop."""

    def __init__(self) -> None:
        self._here: list[ClientConnection] = []

    async def come(self, number: int, url: str) -> float:
        turnstile = asyncio.Semaphore(_AT_ONCE)

        async def enter() -> ClientConnection:
            async with turnstile:
                return await _connected(url)

        begun_s = time.perf_counter()
        self._here = await asyncio.gather(*(enter() for _ in range(number)))
        return time.perf_counter() - begun_s

    async def talk(self, seconds: float, every_s: float) -> list[float]:
        taken_ms: list[float] = []
        begun_s = time.perf_counter()
        count = len(self._here)
        await asyncio.gather(
            *(
                _talk(viewer, begun_s + every_s * number / count, begun_s + seconds, every_s, taken_ms)
                for number, viewer in enumerate(self._here)
            )
        )
        return taken_ms

    async def leave(self) -> None:
        here, self._here = self._here, []
        await asyncio.gather(*(viewer.close() for viewer in here))


async def _connected(url: str) -> ClientConnection:
    return await connect(
        url, ping_interval=None, proxy=None, open_timeout=60, close_timeout=60, compression=None, max_size=None
    )


async def _talk(viewer: ClientConnection, due_s: float, until_s: float, every_s: float, taken_ms: list[float]) -> None:
    while due_s < until_s:
        await asyncio.sleep(due_s - time.perf_counter())
        sent_s = time.perf_counter()
        await viewer.send(_SMALL)
        assert await viewer.recv() == _SMALL
        taken_ms.append(1000 * (time.perf_counter() - sent_s))
        due_s += every_s


async def echo(size_bytes: int, url: str) -> dict[str, Any]:
    """Seconds, and whether the same messages came back."""
    viewer = await _connected(url)
    sent, got = sha256(), sha256()

    async def receive() -> None:
        left_bytes = size_bytes
        while left_bytes:
            message = await viewer.recv()
            assert isinstance(message, bytes)
            _take(got, message)
            left_bytes -= len(message)

    receiving = asyncio.create_task(receive())
    begun_s = time.perf_counter()
    for message in _messages(size_bytes):
        _take(sent, message)
        await viewer.send(message)
    await receiving
    taken_s = time.perf_counter() - begun_s
    await viewer.close()
    return {"seconds": taken_s, "is_exact": sent.digest() == got.digest()}


def _take(digest: Any, message: bytes) -> None:
    """Includes the length, because messages must not be joined or split."""
    digest.update(len(message).to_bytes(8, "big"))
    digest.update(message)


def _messages(size_bytes: int) -> Iterator[bytes]:
    pool = os.urandom(8 * _MOST_BYTES)
    while size_bytes:
        length = min(size_bytes, random.randint(_LEAST_BYTES, _MOST_BYTES))
        begin = random.randrange(len(pool) - length)
        yield pool[begin : begin + length]
        size_bytes -= length


async def main() -> None:
    viewers = BenchViewers()
    say("ready")
    while line := await asyncio.to_thread(sys.stdin.readline):
        match json.loads(line):
            case {"come": number, "url": url}:
                say(await viewers.come(number, url))
            case {"talk": seconds, "every_s": every_s}:
                say(await viewers.talk(seconds, every_s))
            case {"leave": _}:
                await viewers.leave()
                say(None)
            case {"echo": size_bytes, "url": url}:
                say(await echo(size_bytes, url))


if __name__ == "__main__":
    raise_file_limit()
    asyncio.run(main())
