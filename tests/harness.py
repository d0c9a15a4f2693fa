"""What tests of several rooms need: a settable clock, events, stores, and a real server."""

import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import requests
from filelock import FileLock
from hypothesis import settings as hypothesis_settings

from payments.clock import now_ms
from payments.disk import Disk
from payments.domain.decisions import Terms
from payments.domain.money import parse_eth
from payments.domain.sessions import HEARTBEAT, Session, SessionEvent
from payments.domain.state import State
from payments.store import SessionQuery, Store, Verified
from payments.store.file.engine import FileEngine
from payments.store.file.snapshot import Paths
from payments.store.file.store import FileStore
from payments.store.file.verify import verify
from payments.store.memory import MemoryStore

ROOT = Path(__file__).parent.parent
NOON_MS = 1_800_000_000_000
HOST_A, HOST_B = "203.0.113.10", "203.0.113.20"
TERMS = Terms(rate_wei_per_minute=parse_eth("0.001"), attribution={HOST_A: "orch-a", HOST_B: "orch-b"})

JSON = Any


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, now_ms: int = NOON_MS) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms


class RealClock(Clock):
    """The system's, for processes have no other."""

    def __call__(self) -> int:
        return now_ms()


def uncoded(text: object) -> str:
    """``text``, or the message of an error, without its codes: tests/test_runbook.py is about those."""
    return re.sub(r"PAY-[A-Z]\d\d ", "", str(text))


def event(session_id: str = "s-1", kind: str = HEARTBEAT, at_ms: int = NOON_MS, **fields: Any) -> SessionEvent:
    """An event received at ``at_ms``; on ``HOST_A`` unless told otherwise."""
    return SessionEvent(session_id, kind, at_ms, **{"upstream_addr": HOST_A, **fields})


def memory_store(terms: Terms = TERMS, clock: Clock | None = None) -> MemoryStore:
    """An empty reference store."""
    return MemoryStore(lambda: terms, clock or Clock())


def file_store(
    folder: Path,
    terms: Terms = TERMS,
    clock: Clock | None = None,
    disk: Disk | None = None,
    segment_bytes: int = 1 << 28,
) -> FileStore:
    """The file engine on ``folder``, laid out as ``PAYMENTS_DATA_DIR`` is."""
    return FileStore(
        journal_path(folder),
        projections(folder),
        lambda: terms,
        clock or Clock(),
        disk=disk,
        segment_bytes=segment_bytes,
    )


def state_of(store: Store) -> State:
    """All that ``store`` shows, by its queries."""
    sessions: list[Session] = []
    before = None
    while True:
        page = store.sessions(SessionQuery(), before=before, limit=2000)
        sessions += page.items
        if (before := page.before) is None:
            break
    return State(
        store.totals(0, 0).entries,
        {session.session_id: session for session in reversed(sessions)},
        {balance.orchestrator_id: balance for balance in store.balances()},
        {power.orchestrator_id: power for power in store.powers()},
    )


def probed(store: FileStore) -> Mapping[str, JSON]:
    """What ``check`` says once the try for the lock that it began has come to something."""
    store.check()
    until(lambda: store._probe is None or store._probe.is_answered)
    return store.check()


def open_files(folder_name: str) -> list[str]:
    """What this process has open in folders of that name."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        # One may be closed meanwhile.
        with suppress(OSError):
            found.append(os.readlink(descriptor))
    return sorted(path for path in found if Path(path).parent.name == folder_name)


def shown_seq(folder: Path) -> int:
    """Up to which entry all projections in ``folder`` show the journal; -1 where one cannot be read."""
    try:
        return min(int(json.loads(path.read_bytes())["journal"]["seq"]) for path in projections(folder))
    except FileNotFoundError:
        return -1


def show_all(store: FileStore, folder: Path) -> None:
    """Returns when the projections in ``folder`` show all of ``store``, and nobody is writing them."""
    store.refresh()
    until(lambda: shown_seq(folder) == store.totals(0, 0).entries)
    with FileLock(folder / "sessions.json.lock"):
        pass


def rewrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Change what a projection shows, and its checksum with it."""
    data = path.read_bytes()
    shown, _, _ = data.rpartition(b'\n],"checksum":"')
    changed = change(shown)
    assert changed != shown
    path.write_bytes(changed + b'\n],"checksum":"%b"}\n' % sha256(changed).hexdigest().encode())


def file_engine(folder: Path) -> FileEngine:
    """The files in ``folder``, laid out as ``PAYMENTS_DATA_DIR`` is."""
    return FileEngine(journal_path(folder), projections(folder), "eth", 1 << 28)


def projections(folder: Path) -> Paths:
    """Where ``file_store`` and the server keep their projections."""
    return Paths(folder / "sessions.json", folder / "balances.json", folder / "power_meter.json")


def journal_path(folder: Path) -> Path:
    """Where ``file_store`` and the server keep their journal."""
    return folder / "audit" / "ledger-events.log"


def verified(folder: Path) -> Verified:
    """What ``ledger verify`` finds in ``folder``. Raises ``Corrupt``."""
    return verify(Disk(), journal_path(folder), projections(folder))


@contextmanager
def folder_in_memory() -> Iterator[Path]:
    """An empty folder in memory, where the system has one with room, for files that no test takes the power from.

    Loss of power, full disks and failing calls are played through the seam for file operations. To a real disk, the
    hundred thousand files that come and go meanwhile are mere work.
    """
    memory = Path("/dev/shm")
    has_room = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 32 << 20
    # A store that a test leaves open, as a process that died, may be writing its projections.
    with TemporaryDirectory(
        prefix="payments-test-", dir=memory if has_room else None, ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


def campaign(examples: int, **options: Any) -> hypothesis_settings:
    """How long a property test runs: ``examples``, times ``PAYMENTS_TEST_EXAMPLES``; never a matter of time.

    Unless that is set, every run tries the same examples: a change is judged by what it changes, not by luck.
    """
    factor = os.environ.get("PAYMENTS_TEST_EXAMPLES")
    return hypothesis_settings(
        max_examples=max(1, round(examples * float(factor or 1))), derandomize=factor is None, deadline=None, **options
    )


def free_port() -> int:
    """A port on loopback that nobody listens on, and that no other call gives out while this process lives.

    It is none of those that the kernel gives to clients and to whoever asks for any port: one of them may be gone by
    the time that a server listens, or listens again.
    """
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        given_out_by_kernel = int(file.read().split()[0])
    for port in random.SystemRandom().sample(range(given_out_by_kernel // 2, given_out_by_kernel), 200):
        # A name that belongs to one process at a time, in this network; the kernel takes it back when that ends.
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0payments-tests-port-{port}")
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
        else:
            _claimed_ports.append(claim)
            return port
    raise AssertionError("no port is free on loopback")


_claimed_ports: list[socket.socket] = []


class WebResponse(NamedTuple):
    """A whole response; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> JSON:
        return json.loads(self.body)


class Service(ABC):
    """The API on a data folder of its own, with all tokens set and 0.001 ETH a minute; ``exchange`` reaches it.

    Attributes:
        data: its data folder; ``settings``: its environment.
    """

    REPORTER, VIEWER, ADMIN = "reporter-token", "viewer-token", "admin-token"

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.data = folder / "data"
        self.settings = {
            "PAYMENTS_DATA_DIR": str(self.data),
            "PAYMENTS_SESSION_CREDIT_ETH_PER_MINUTE": "0.001",
            "PAYMENTS_SESSION_REPORTER_TOKEN": self.REPORTER,
            "PAYMENTS_VIEWER_TOKENS": self.VIEWER,
            "PAYMENTS_API_ADMIN_TOKEN": self.ADMIN,
            **settings,
        }

    @abstractmethod
    def exchange(
        self, method: str, target: str, body: bytes | Iterable[bytes] | None, headers: Mapping[str, str]
    ) -> WebResponse:
        """One request with nothing added to ``headers`` but the framing; a body in pieces is sent chunked."""

    def get(self, path: str, **params: Any) -> JSON:
        """The JSON of a viewer call that must succeed."""
        target = f"{path}?{urlencode(params)}" if params else path
        response = self.exchange("GET", target, None, {"Authorization": f"Bearer {self.VIEWER}"})
        assert response.status == 200, response
        return response.json()

    def register(self, orchestrator_id: str = "orch-a", host_public_ip: str = HOST_A, **fields: Any) -> JSON:
        """Register an orchestrator."""
        record = {"orchestrator_id": orchestrator_id, "host_public_ip": host_public_ip, **fields}
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.ADMIN}"}
        response = self.exchange("POST", "/api/orchestrators/register", json.dumps(record).encode(), headers)
        assert response.status in (200, 201), response
        return response.json()


class Server(Service):
    """gunicorn with the shipped configuration.

    Attributes:
        url: where it listens; ``log`` what it printed, ``process`` the master.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str] | None = None,
        app: str = "wsgi:app",
        address: str = "127.0.0.1",
        within: Sequence[str] = (),
        *,
        tree: Path = ROOT,
    ) -> None:
        """``within``: a command in front of gunicorn's, which becomes it, such as one that enters a namespace.

        ``tree``: the checkout that is run; another than this one by its own ``.venv``.
        """
        self.port = free_port()
        super().__init__(folder, {"PAYMENTS_BIND": f"{address}:{self.port}", **(settings or {})})
        self.log = folder / "server.log"
        self.url = f"http://{address}:{self.port}"
        self._folder = folder
        self._app = app
        self._within = within
        self._tree = tree
        self.process = self._launch()

    def start(self) -> None:
        """Start it again on the same files and port."""
        self.process = self._launch()
        self.wait_ready()

    def wait_ready(self, timeout_s: float = 30) -> None:
        """Returns when it can record events; fails, with its log, when it has ended or takes too long."""
        deadline_s = time.monotonic() + timeout_s
        while time.monotonic() < deadline_s and self.process.poll() is None:
            try:
                if requests.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    return
            except requests.ConnectionError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"the server is not ready:\n{self.log.read_text()}")

    def wait_for_workers(self) -> None:
        """Returns when both workers have opened the store, not just the one that answered first."""
        until(lambda: len(pids := self.workers()) == 2 and all(_has_threads(pid) for pid in pids))

    def halt(self) -> None:
        """Let every command be answered 503 from here on, until it is started again."""
        # A worker that opened its store later would verify the journal, and so end it.
        self.wait_for_workers()
        journal_path(self.data).with_name("ledger-events.log.halted").write_text("a sync failed\n")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal the master, by default to stop cleanly, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=30)

    def workers(self) -> list[int]:
        """Process ids of the gunicorn workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def report(self, **fields: Any) -> requests.Response:
        """POST one event as an edge does."""
        return self.call("POST", "/api/sessions/events", token=self.REPORTER, json=fields)

    def call(self, method: str, path: str, *, token: str | None = None, **options: Any) -> requests.Response:
        """One request; ``token`` goes in the bearer header, which every role may use."""
        headers = {**options.pop("headers", {}), **({"Authorization": f"Bearer {token}"} if token else {})}
        return requests.request(method, f"{self.url}{path}", headers=headers, timeout=30, **options)

    def exchange(
        self, method: str, target: str, body: bytes | Iterable[bytes] | None, headers: Mapping[str, str]
    ) -> WebResponse:
        connection = http.client.HTTPConnection(str(urlsplit(self.url).hostname), self.port, timeout=30)
        try:
            # A body may be refused before all of it is sent; the response can be read nevertheless.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, target, body, dict(headers))
            response = connection.getresponse()
            return WebResponse(
                response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
            )
        finally:
            connection.close()

    def _launch(self) -> subprocess.Popen[bytes]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PAYMENTS_")}
        # The script: a master that was started with -m cannot start a second one (SIGUSR2).
        programs = Path(sys.executable).parent if self._tree == ROOT else self._tree / ".venv" / "bin"
        configuration = self._tree / "deploy" / "gunicorn.conf.py"
        command = [*self._within, str(programs / "gunicorn"), "-c", str(configuration), self._app]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self._folder,
                env={**environment, **self.settings, "PYTHONPATH": str(self._tree)},
                stdout=log,
                stderr=subprocess.STDOUT,
            )


def _has_threads(pid: int) -> bool:
    return len(list(Path(f"/proc/{pid}/task").iterdir())) > 1


@contextmanager
def running_server(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A ready server, stopped at the end whatever happens."""
    server = Server(folder, settings)
    with ended(server):
        yield server


@contextmanager
def ended(server: Server) -> Iterator[None]:
    """Begins when ``server``, which was just launched, is ready; at the end it is stopped, whatever happened."""
    try:
        server.wait_ready()
        yield
    finally:
        end(server.process)


def end(process: subprocess.Popen[bytes], patience_s: float = 20) -> None:
    """Stop ``process`` if it still runs: cleanly, or else for good."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=patience_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def lock_path(folder: Path) -> Path:
    """Where the lock of that journal is."""
    return journal_path(folder).with_name("ledger-events.log.lock")


def journal_lines(folder: Path) -> list[bytes]:
    """The lines of the journal in data folder ``folder``, newlines included."""
    return journal_path(folder).read_bytes().splitlines(keepends=True)


def stamps(folder: Path) -> dict[Path, Sequence[int]]:
    """Of all that is in ``folder``, what tells of a change; not when it was last read, for to look here is to read."""
    found = {path: path.stat() for path in folder.rglob("*")}
    return {path: (*status[: stat.ST_ATIME], status.st_mtime_ns, status.st_ctime_ns) for path, status in found.items()}


class Answering(BaseHTTPRequestHandler):
    """Answers calls in place of another program, in JSON, and logs nothing."""

    def answer(self, status: int, said: Any) -> None:
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def answering(handler: type[Answering]) -> Iterator[str]:
    """The address of a server on loopback whose calls ``handler`` answers."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as listening:
        thread = Thread(target=listening.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_port}"
        finally:
            listening.shutdown()
            thread.join()


def until(condition: Callable[[], bool], timeout_s: float = 30, pause_s: float = 0.002) -> None:
    """Returns as soon as ``condition`` holds; fails when it does not for long."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come about"
        time.sleep(pause_s)
