"""One performance, from its beginning to its end."""

import asyncio
import json
import random
import signal
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import click
from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from payments.cli.demo.hosts import NAMES, DemoHost, sleep_in_turn
from payments.cli.demo.parts import Part, Parts
from payments.cli.demo.stage import DRAIN_S, POWER_RATE, SESSION_RATE, Stage, set_stage
from payments.cli.demo.story import Happening, Narrative
from payments.cli.demo.telling import Narrator
from payments.cli.demo.viewers import come_and_go
from payments.cli.service import api_command, worker_command
from payments.clock import now_ms
from payments.domain.money import format_eth, parse_eth
from payments.errors import Corrupt, Unavailable

_START_S = 60
_LOOK_S = 0.25
_TABLE_EVERY_S = 5
_PAGE = 500
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Play(NamedTuple):
    """What is to be shown.

    Attributes:
        seconds: how long, once all is ready; ``None``: until a signal comes.
        viewers: at most so many at the same time.
        keep: the folder to leave files in; ``None``: in a temporary one.
    """

    seconds: int | None
    viewers: int
    keep: Path | None
    as_json: bool


def perform(play: Play) -> None:
    """Show it. Raises ``PaymentsError`` where something fails; nothing runs any more when this is left."""
    asyncio.run(_perform(play))


async def _perform(play: Play) -> None:
    with _folder(play.keep) as folder:
        async with AsyncExitStack() as opened:
            parts = Parts(folder, [] if play.keep else [folder])
            opened.push_async_callback(parts.close)
            hosts = []
            for last, name in enumerate(NAMES, start=2):
                hosts.append(await DemoHost.open(name, f"127.0.0.{last}"))
                opened.push_async_callback(hosts[-1].close)
            # A connection that is kept open would keep the API from stopping at once.
            session = ClientSession(timeout=ClientTimeout(total=5), connector=TCPConnector(force_close=True, limit=0))
            http = await opened.enter_async_context(session)
            stage = set_stage(folder, tuple(host.place for host in hosts))
            performance = _Performance(play, stage, parts, hosts, http)
            if await performance.begin():
                await performance.go_on()
                await performance.end()
    if play.keep is not None and not play.as_json:
        click.echo(f"Kept in {play.keep}. Look at it again: PAYMENTS_DATA_DIR={stage.data} payments sessions list")


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with TemporaryDirectory(prefix="payments-demo-") as folder:
            yield Path(folder)
        return
    try:
        keep.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"PAY-O12 {keep}: cannot be made ({error.strerror})") from error
    yield keep.absolute()


class _Performance:
    """What goes on: who plays, and how much of it has been told."""

    def __init__(self, play: Play, stage: Stage, parts: Parts, hosts: list[DemoHost], http: ClientSession) -> None:
        self._play = play
        self._stage = stage
        self._parts = parts
        self._hosts = hosts
        self._http = http
        self._stopping = asyncio.Event()
        self._story = Narrative(stage.places)
        self._teller = Narrator(play.as_json, now_ms)

    async def begin(self) -> bool:
        """Start the processes. Whether all of them are ready, and nobody wants it to end already."""
        for number in _SIGNALS:
            # Who runs it by nohup wants it to go on without a terminal.
            if not (number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN):
                asyncio.get_running_loop().add_signal_handler(number, self._stopping.set)
        stage, ours = self._stage, self._stage.payments_environment()
        self._api = self._start("API", api_command(), ours)
        self._worker = self._start("worker", worker_command(), ours)
        gateway = [sys.executable, "-m", "payments.edge.gateway"]
        self._gateway = self._start("gateway", gateway, stage.gateway_environment())
        for part, url in ((self._api, f"http://{stage.api}/readyz"), (self._gateway, f"http://{stage.admin}/readyz")):
            await self._wait_for(part, url)
        if self._stopping.is_set():
            self._say("stopping", "told to end before all of them were ready")
            return False
        api, page = f"http://{stage.api}", f"http://{stage.gateway}/{stage.places[0].name}/"
        self._say("ready", f"ready: look at {api}/docs, and be a viewer yourself at {page}", api=api, page=page)
        self._say(
            "rates",
            f"a minute of session earns {SESSION_RATE} ETH, a minute awake {POWER_RATE} ETH; Ctrl-C ends the demo",
            session_eth_per_minute=SESSION_RATE,
            power_eth_per_minute=POWER_RATE,
        )
        return True

    async def go_on(self) -> None:
        """Let viewers come and go, and tell of it, until it is time to end. At the end all viewers leave."""
        loop, chance = asyncio.get_running_loop(), random.Random()  # noqa: S311
        playing = [
            asyncio.create_task(come_and_go(self._http, self._stage.gateway, self._hosts, self._play.viewers, chance)),
            asyncio.create_task(sleep_in_turn(self._hosts, chance)),
        ]
        begun_s = told_s = loop.time()
        try:
            while not self._stopping.is_set() and not any(each.done() for each in playing):
                await self._tell_news()
                now_s = loop.time()
                if now_s - told_s >= _TABLE_EVERY_S:
                    told_s = now_s
                    self._teller.tell_balances("balances", "what each orchestrator has earned:", self._story.balances())
                if self._play.seconds is not None and now_s - begun_s >= self._play.seconds:
                    return
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), _LOOK_S)
        finally:
            await _end(playing)

    async def end(self) -> None:
        """Drain the gateway, tell the rest of the story, and hold it against the ledger."""
        self._say("stopping", "the viewers have left; the gateway reports every end, and stops")
        await self._parts.stop(self._gateway, DRAIN_S + 5)
        await self._parts.stop(self._worker, 10)
        await self._catch_up()
        await self._parts.stop(self._api, 20)
        self._teller.tell_balances("final", "what each orchestrator has earned in the end:", self._story.balances())
        await self._verify()

    async def _verify(self) -> None:
        command = [sys.executable, "-m", "payments.cli", "ledger", "verify", "--json"]
        found = json.loads(await self._parts.run("ledger verify", command, self._stage.payments_environment()))
        owed = format_eth(self._story.owed_wei())
        in_all = format_eth(parse_eth(found["owed"]) - parse_eth(found["overdrawn"]))
        if in_all != owed:
            raise Corrupt(f"PAY-M05 the entries that were told add up to {owed} ETH, and ledger verify finds {in_all}")
        text = (
            f"ledger verify: {found['entries']} entries, {found['sessions']} sessions, {owed} ETH owed, as the entries "
            f"that were told add up; everything holds"
        )
        self._teller.tell(Happening("verified", text, {**found, "compared": sorted(found["compared"])}))

    def _start(self, name: str, command: list[str], environment: dict[str, str]) -> Part:
        part = self._parts.start(name, command, environment)
        pid = part.process.pid
        self._say("started", f"starting the {name} (process {pid})", part=name, pid=pid)
        return part

    def _say(self, what: str, text: str, **fields: Any) -> None:
        self._teller.tell(Happening(what, text, fields))

    async def _wait_for(self, part: Part, url: str) -> None:
        """Returns when ``url`` answers 200, or the demo is to end. Raises ``Unavailable`` where it takes too long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_START_S):
                while not self._stopping.is_set():
                    self._parts.check()
                    with suppress(ClientError):
                        async with self._http.get(url) as answer:
                            if answer.status == 200:
                                return
                    await asyncio.sleep(_LOOK_S / 5)
                return
        part.check()
        raise Unavailable(f"PAY-M03 the demo's {part.name} is not ready after {_START_S} s")

    async def _tell_news(self) -> None:
        """Tell what is new; while the API gives no answer, only that its process is there counts."""
        with suppress(ClientError, TimeoutError):
            await self._catch_up()
        self._parts.check()

    async def _catch_up(self) -> None:
        entries: list[dict[str, Any]] = []
        page: dict[str, Any] = {"next_cursor": ""}
        while page["next_cursor"] is not None and (not entries or entries[-1]["seq"] > self._story.last_seq + 1):
            query = {"limit": str(_PAGE), **({"cursor": page["next_cursor"]} if page["next_cursor"] else {})}
            async with self._http.get(f"http://{self._stage.api}/api/ledger/events", params=query) as answer:
                answer.raise_for_status()
                page = await answer.json()
            entries += page["events"]
        for entry in reversed(entries):
            if entry["seq"] > self._story.last_seq:
                for beat in self._story.hear(entry):
                    self._teller.tell(beat)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel ``tasks``. Raises what one of them failed with, if one did."""
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            raise result
