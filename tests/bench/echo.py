"""A game host that echoes every message: ``python -m tests.bench.echo ADDRESS`` prints its port."""

import asyncio
import sys
from contextlib import suppress

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.edge.line_processes import raise_file_limit, say


async def main(address: str) -> None:
    """Serve until standard input ends."""
    async with serve(_echo, address, 0, ping_interval=None, compression=None, max_size=None, backlog=4096) as server:
        say("ready")
        while await asyncio.to_thread(sys.stdin.readline):
            say(server.sockets[0].getsockname()[1])


async def _echo(connection: ServerConnection) -> None:
    with suppress(ConnectionClosed):
        async for message in connection:
            await connection.send(message)


if __name__ == "__main__":
    raise_file_limit()
    asyncio.run(main(sys.argv[1]))
