"""A network between the edge and Payments that can be cut, so that packets are lost silently.

If the system permits, Payments runs in a network namespace behind a cable of its own, like another machine. Otherwise
it is behind a forwarder that passes nothing on while the network is cut.
"""

import asyncio
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.harness import Server, ended, free_port

_NOBODY = "02:00:00:00:00:01"


class Network:
    """Attributes: ``server``: Payments; ``url``: its address for the edge."""

    server: Server
    url: str

    def cut(self) -> None:
        """Lose all packets from now on, in both directions."""
        raise NotImplementedError

    def mend(self) -> None:
        raise NotImplementedError


class Namespace(Network):
    """A pair of virtual network cards, one of them in the namespace of Payments.

    To cut it, each end gets a wrong hardware address of the other. Packets are lost, no connection is refused or reset,
    and the kernel retransmits as over a broken network.
    """

    def __init__(self, folder: Path) -> None:
        number = os.getpid() % 16_384
        self._name = f"ps{os.getpid()}"
        # From the addresses reserved for benchmarks of networks.
        near, far = (f"198.{18 + number // 8192}.{number // 32 % 256}.{number % 32 * 8 + end}" for end in (1, 2))
        self._ends = ((("-n", self._name), "far", near), ((), f"{self._name}n", far))
        try:
            _ip("netns", "add", self._name)
            _ip("link", "add", f"{self._name}n", "type", "veth", "peer", "name", "far", "netns", self._name)
            for (within, card, _), address in zip(self._ends, (far, near), strict=True):
                _ip(*within, "address", "add", f"{address}/29", "dev", card)
                _ip(*within, "link", "set", card, "up")
            _ip("-n", self._name, "link", "set", "lo", "up")
        except BaseException:
            self.close()
            raise
        self.server = Server(folder, address=far, within=("ip", "netns", "exec", self._name))
        self.url = self.server.url

    def cut(self) -> None:
        for within, card, peer in self._ends:
            _ip(*within, "neighbour", "replace", peer, "lladdr", _NOBODY, "dev", card, "nud", "permanent")

    def mend(self) -> None:
        for within, card, peer in self._ends:
            _ip(*within, "neighbour", "delete", peer, "dev", card)

    def close(self) -> None:
        """The cards go with the namespace."""
        subprocess.run(["ip", "netns", "delete", self._name], check=False)


class Forwarder(Network):
    """Forwards bytes from its own port, in its own thread."""

    def __init__(self, folder: Path) -> None:
        self.server = Server(folder)
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._loop = asyncio.new_event_loop()
        self._is_whole = asyncio.Event()
        self._is_whole.set()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._forward(),))
        self._is_over = asyncio.Event()
        self._thread.start()

    def cut(self) -> None:
        self._loop.call_soon_threadsafe(self._is_whole.clear)

    def mend(self) -> None:
        self._loop.call_soon_threadsafe(self._is_whole.set)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._is_over.set)
        self._thread.join()
        self._loop.close()

    async def _forward(self) -> None:
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", self._port)
        await self._is_over.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._is_whole.wait()
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(self._pump(reader, there_writer), self._pump(there_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                await self._is_whole.wait()
                writer.write(data)
        except OSError:
            pass
        writer.close()


@contextmanager
def network(folder: Path) -> Iterator[Network]:
    """A working network with a running Payments behind it; always removed at the end."""
    made = Namespace(folder) if _may_have_namespaces() else Forwarder(folder)
    try:
        with ended(made.server):
            yield made
    finally:
        made.close()


def _may_have_namespaces() -> bool:
    if os.geteuid() or shutil.which("ip") is None:
        return False
    name = f"try{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode:
        return False
    _ip("netns", "delete", name)
    return True


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
