"""A game host or a viewer for a gateway on a test machine: ``python edge_peers.py host`` or ``viewer URL``.

The Python of the installed edge runs it, because that has aiohttp.
"""

import asyncio
import sys

from aiohttp import ClientSession, web

HOST = "127.0.0.2"
PORT = 8888


async def echo(request: web.Request) -> web.StreamResponse:
    channel = web.WebSocketResponse()
    await channel.prepare(request)
    async for message in channel:
        await channel.send_str(message.data)
    return channel


async def view(url: str) -> None:
    """Print ``connected`` after an echo, and the close code at the end."""
    async with ClientSession() as session, session.ws_connect(url) as channel:
        await channel.send_str('{"type":"subscribe","streamerId":"Streamer"}')
        await channel.receive_str()
        print("connected", flush=True)  # noqa: T201
        await channel.receive()
        print("closed", channel.close_code, flush=True)  # noqa: T201


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["host"]:
            app = web.Application()
            app.router.add_get("/", echo)
            web.run_app(app, host=HOST, port=PORT, print=None)
        case ["viewer", url]:
            asyncio.run(view(url))
