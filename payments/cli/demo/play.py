"""One run of the demo, from start to end."""

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
from payments.cli.demo.story import DemoEvent, EntryReader
from payments.cli.demo.telling import DemoOutput
from payments.cli.demo.viewers import come_and_go
from payments.cli.service import api_command, worker_command
from payments.clock import now_ms
from payments.domain.money import format_eth, parse_eth
from payments.errors import Corrupt, Unavailable

_START_S = 60
_POLL_S = 0.25
_TABLE_EVERY_S = 5
_PAGE = 500
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class DemoOptions(NamedTuple):
    """Options of a demo.

    Attributes:
        seconds: how long to run once all is ready; ``None``: until a signal comes.
        viewers: maximum number at the same time.
        keep: folder to keep files in; ``None``: a temporary one.
    """

    seconds: int | None
    viewers: int
    keep: Path | None
    as_json: bool


def run_demo(options: DemoOptions) -> None:
    """Run the demo. Raises ``PaymentsError`` if something fails. Stops all its processes before it returns."""
    asyncio.run(_run(options))


async def _run(options: DemoOptions) -> None:
    with _folder(options.keep) as folder:
        async with AsyncExitStack() as opened:
            parts = Parts(folder, [] if options.keep else [folder])
            opened.push_async_callback(parts.close)
            hosts = []
            for last, name in enumerate(NAMES, start=2):
                hosts.append(await DemoHost.open(name, f"127.0.0.{last}"))
                opened.push_async_callback(hosts[-1].close)
            # Kept-alive connections would delay the stop of the API.
            session = ClientSession(timeout=ClientTimeout(total=5), connector=TCPConnector(force_close=True, limit=0))
            http = await opened.enter_async_context(session)
            stage = set_stage(folder, tuple(host.place for host in hosts))
            run = _Run(options, stage, parts, hosts, http)
            if await run.start():
                await run.show()
                await run.finish()
    if options.keep is not None and not options.as_json:
        click.echo(
            f"Kept in {options.keep}. To look at it again: PAYMENTS_DATA_DIR={stage.data} payments sessions list"
        )


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


class _Run:
    """A running demo: its processes, hosts and viewers, and the entries shown so far."""

    def __init__(
        self, options: DemoOptions, stage: Stage, parts: Parts, hosts: list[DemoHost], http: ClientSession
    ) -> None:
        self._options = options
        self._stage = stage
        self._parts = parts
        self._hosts = hosts
        self._http = http
        self._stopping = asyncio.Event()
        self._story = EntryReader(stage.places)
        self._output = DemoOutput(options.as_json, now_ms)

    async def start(self) -> bool:
        """Start the processes. Returns whether all are ready; false if a signal came first."""
        for number in _SIGNALS:
            # Under nohup SIGHUP is ignored, and the demo keeps running without a terminal.
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
            self._print("stopping", "stopped before all processes were ready")
            return False
        api, page = f"http://{stage.api}", f"http://{stage.gateway}/{stage.places[0].name}/"
        self._print("ready", f"ready: see {api}/docs, and become a viewer at {page}", api=api, page=page)
        self._print(
            "rates",
            f"a minute of session earns {SESSION_RATE} ETH, a minute awake {POWER_RATE} ETH; Ctrl-C ends the demo",
            session_eth_per_minute=SESSION_RATE,
            power_eth_per_minute=POWER_RATE,
        )
        return True

    async def show(self) -> None:
        """Let viewers come and go, and print what happens, until it is time to stop. Then all viewers leave."""
        loop, chance = asyncio.get_running_loop(), random.Random()  # noqa: S311
        tasks = [
            asyncio.create_task(
                come_and_go(self._http, self._stage.gateway, self._hosts, self._options.viewers, chance)
            ),
            asyncio.create_task(sleep_in_turn(self._hosts, chance)),
        ]
        started_s = printed_s = loop.time()
        try:
            while not self._stopping.is_set() and not any(each.done() for each in tasks):
                await self._print_news()
                now_s = loop.time()
                if now_s - printed_s >= _TABLE_EVERY_S:
                    printed_s = now_s
                    self._output.print_balances(
                        "balances", "what each orchestrator has earned:", self._story.balances()
                    )
                if self._options.seconds is not None and now_s - started_s >= self._options.seconds:
                    return
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), _POLL_S)
        finally:
            await _end(tasks)

    async def finish(self) -> None:
        """Drain the gateway, print the remaining events, and compare the sums with the ledger."""
        self._print("stopping", "the viewers have left; the gateway reports the end of each session and stops")
        await self._parts.stop(self._gateway, DRAIN_S + 5)
        await self._parts.stop(self._worker, 10)
        await self._catch_up()
        await self._parts.stop(self._api, 20)
        self._output.print_balances("final", "what each orchestrator has earned in the end:", self._story.balances())
        await self._verify()

    async def _verify(self) -> None:
        command = [sys.executable, "-m", "payments.cli", "ledger", "verify", "--json"]
        found = json.loads(await self._parts.run("ledger verify", command, self._stage.payments_environment()))
        owed = format_eth(self._story.owed_wei())
        in_all = format_eth(parse_eth(found["owed"]) - parse_eth(found["overdrawn"]))
        if in_all != owed:
            raise Corrupt(f"PAY-M05 the entries that were told add up to {owed} ETH, and ledger verify finds {in_all}")
        text = (
            f"ledger verify: {found['entries']} entries, {found['sessions']} sessions, {owed} ETH owed, equal to the "
            f"sum of the entries shown; no problems found"
        )
        self._output.print_event(DemoEvent("verified", text, {**found, "compared": sorted(found["compared"])}))

    def _start(self, name: str, command: list[str], environment: dict[str, str]) -> Part:
        part = self._parts.start(name, command, environment)
        pid = part.process.pid
        self._print("started", f"starting the {name} (process {pid})", part=name, pid=pid)
        return part

    def _print(self, what: str, text: str, **fields: Any) -> None:
        self._output.print_event(DemoEvent(what, text, fields))

    async def _wait_for(self, part: Part, url: str) -> None:
        """Wait until ``url`` answers 200 or a signal stops the demo. Raises ``Unavailable`` after 60 s."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_START_S):
                while not self._stopping.is_set():
                    self._parts.check()
                    with suppress(ClientError):
                        async with self._http.get(url) as answer:
                            if answer.status == 200:
                                return
                    await asyncio.sleep(_POLL_S / 5)
                return
        part.check()
        raise Unavailable(f"PAY-M03 the demo's {part.name} is not ready after {_START_S} s")

    async def _print_news(self) -> None:
        """Print new events. The API may be slow to answer, but its process must be running."""
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
                for event in self._story.add(entry):
                    self._output.print_event(event)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel ``tasks``. Raises the error of a task that failed."""
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            raise result
