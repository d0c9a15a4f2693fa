"""A signalling server, a browser, and streamers and players in it."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import urlencode

from playwright.sync_api import Browser, Error, Page, sync_playwright

HERE = Path(__file__).parent
HOST = "127.0.0.2"
PATIENCE_S = 30
FLAGS = (
    # Use ICE candidates with addresses instead of names that nobody here resolves, loopback included.
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--allow-loopback-in-peer-connection",
    # Let pages play before anybody has clicked on them.
    "--autoplay-policy=no-user-gesture-required",
    # Chromium's sandbox does not work for root.
    "--no-sandbox",
)

Colour = tuple[int, int, int]
Told = dict[str, Any]


class Streamer(NamedTuple):
    """A streamer: its id, and the colours of the two halves of its picture."""

    id: str
    left: Colour
    right: Colour


LISBON = Streamer("lisbon", (200, 40, 40), (40, 60, 200))
PORTO = Streamer("porto", (40, 160, 60), (220, 200, 40))


class Signalling:
    """The signalling server. Attributes: ``players`` and ``streamers``: its addresses for them."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._told: Queue[Told | None] = Queue()
        self._past: list[Told] = []
        self._unclaimed: list[Told] = []
        Thread(target=self._listen, args=(process,), daemon=True).start()
        ports = self.saw("ports")
        self.players, self.streamers = (f"{HOST}:{ports[each]}" for each in ("player", "streamer"))

    def saw(self, event: str, **fields: str) -> Told:
        """Wait for the next event of the kind with these fields, and return it."""
        wanted = {"event": event, **fields}
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            for told in self._unclaimed:
                if told.items() >= wanted.items():
                    self._unclaimed.remove(told)
                    return told
            self._hear(wanted, deadline_s)

    def messages(self, player: str) -> list[str]:
        """Types of the messages of ``player``; Epic's library must have accepted all."""
        mine = [each for each in self._past if each["event"] == "message" and each["from"] == player]
        assert all(each["sound"] for each in mine), mine
        return [each["type"] for each in mine]

    def _hear(self, wanted: Told, deadline_s: float) -> None:
        told = None
        with suppress(Empty):
            told = self._told.get(timeout=max(0, deadline_s - time.monotonic()))
        assert told, f"the signalling server has told of no {wanted}, but of {self._past}"
        self._past.append(told)
        self._unclaimed.append(told)

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._told.put(json.loads(line))
        self._told.put(None)


@contextmanager
def signalling_server() -> Iterator[Signalling]:
    """A running signalling server; it exits when its input ends."""
    node = shutil.which("node")
    assert node, "node is not installed; tests/run.sh installs it"
    assert (HERE / "node_modules").is_dir(), "the packages from npm are not installed; tests/run.sh installs them"
    command = [node, "signalling.mjs", HOST]
    with subprocess.Popen(
        command, cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:  # fmt: skip
        assert process.stdin is not None
        with closing(process.stdin):
            yield Signalling(process)


@contextmanager
def browsing() -> Iterator[Browser]:
    """Debian's Chromium, without a screen."""
    program = shutil.which("chromium")
    assert program, "chromium is not installed; tests/run.sh installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        with closing(browser):
            yield browser


def stream(browser: Browser, signalling: Signalling, streamer: Streamer) -> Page:
    """Open the page of ``streamer``; wait until the signalling server knows it."""
    page = browser.new_page()
    left, right = (f"rgb({red},{green},{blue})" for red, green, blue in (streamer.left, streamer.right))
    page.goto(f"http://{signalling.streamers}/?id={streamer.id}&left={left}&right={right}")
    signalling.saw("streamer", id=streamer.id)
    return page


class Player:
    """A tab with Epic's frontend.

    Attributes:
        page: the tab. ``id``: what the signalling server calls its present connection.
    """

    def __init__(self, page: Page, signalling: Signalling) -> None:
        self.page = page
        self._signalling = signalling
        self.wait_for_connection()

    def wait_for_connection(self) -> None:
        """Wait until it is connected or reconnected."""
        self.id: str = self._signalling.saw("player")["id"]

    def do(self, call: str) -> None:
        """Call a method of the frontend."""
        self.page.evaluate(f"() => void pixelStreaming.{call}")

    def crash(self) -> None:
        """Kill its tab, so that it cannot send anything."""
        with self.page.expect_event("crash"), suppress(Error):
            self.page.goto("chrome://crash")

    def closings(self, count: int) -> list[int]:
        """Wait until so many of its sockets are closed; return the codes."""
        codes: list[int] = self.page.wait_for_function(
            "count => closings.length === count && closings", arg=count
        ).json_value()
        return codes

    def check_plays(self, streamer: Streamer) -> None:
        """Wait until it shows new frames of ``streamer``."""
        shown = self.page.evaluate("wanted => goesOn(wanted)", {"left": streamer.left, "right": streamer.right})
        assert shown["size"] == [320, 240]


@contextmanager
def player(browser: Browser, signalling: Signalling, base: str, **config: str) -> Iterator[Player]:
    """A player at the page ``base`` with these settings of the frontend; its tab is closed at the end."""
    page = browser.new_page()
    # A tab left by a failed test would reconnect again and again.
    with closing(page):
        page.goto(f"{base}?{urlencode(config)}")
        yield Player(page, signalling)
