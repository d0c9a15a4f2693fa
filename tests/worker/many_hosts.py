"""One sweep over many hosts: ``python -m tests.worker.many_hosts [COUNT]``.

Each host has its own loopback address (127.x.y.z, all on one port), served by a second process. A tenth of them is
dead: half of those refuse connections, half accept them and stay silent. It prints the results of the first sweep,
which does not know the dead ones, and of the next one. ``--limit N`` allows the asking process N open files.
"""

import argparse
import json
import resource
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, NamedTuple

from payments.clock import now_ms
from payments.registry import Registry
from payments.store import open_store
from payments.worker_status import SweepStatus
from tests.harness import ROOT, free_port, state_of
from tests.worker.sweeping import some_settings
from worker.sweep import Sweeper

_FIRST = IPv4Address("127.64.0.1")
_BODY = b'{"state":"awake"}'
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)


class Sweeps(NamedTuple):
    """Results of two sweeps, and how much processor time of this process they took."""

    first: SweepStatus
    second: SweepStatus
    cpu_s: float
    live: int
    missed: int


def address(number: int) -> str:
    return str(_FIRST + number)


def kind(number: int) -> str:
    """Every twentieth host refuses, every twentieth hangs, the others answer."""
    return {7: "refuses", 17: "hangs"}.get(number % 20, "lives")


def host_all(count: int, port: int) -> None:
    """Serve all hosts until standard input ends. They keep connections open, as most HTTP servers do."""
    _allow_files(resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    ready = selectors.DefaultSelector()
    listeners = []
    for number in range(count):
        if kind(number) != "refuses":
            listener = socket.create_server((address(number), port), backlog=8)
            listener.setblocking(False)
            listeners.append(listener)
            ready.register(listener, selectors.EVENT_READ, kind(number))
    ready.register(sys.stdin, selectors.EVENT_READ, "ends")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        for key, _ in ready.select():
            if key.data == "ends":
                return
            if key.data == "lives":
                with suppress(OSError):
                    connection, _ = key.fileobj.accept()  # type: ignore[union-attr]
                    ready.register(connection, selectors.EVENT_READ, "asks")
            elif key.data == "asks":
                _answer(ready, key.fileobj)
            else:
                # The system has accepted the connection; nothing else happens.
                ready.unregister(key.fileobj)


def _answer(ready: selectors.BaseSelector, connection: Any) -> None:
    try:
        asks = connection.recv(4096)
        if asks:
            connection.send(_ANSWER)
            return
    except OSError:
        pass
    ready.unregister(connection)
    connection.close()


@contextmanager
def hosts(count: int) -> Iterator[int]:
    """A process that serves all hosts; yields their port."""
    port = free_port()
    command = [sys.executable, "-m", "tests.worker.many_hosts", "--host", str(port), str(count)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield port
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(timeout=30)


def sweep_twice(folder: Path, count: int, settings: Mapping[str, Any] | None = None) -> Sweeps:
    """Ask ``count`` hosts twice, with the defaults and ``settings``."""
    folder.mkdir(parents=True, exist_ok=True)
    records = [{"orchestrator_id": f"orch-{number}", "host_public_ip": address(number)} for number in range(count)]
    (folder / "registry.json").write_text(json.dumps(records))
    with hosts(count) as port:
        chosen = some_settings(folder, power_port=port, **(settings or {}))
        registry = Registry(chosen.registry_path, now_ms)
        store = open_store(chosen, registry.attribution)
        sweeper = Sweeper(chosen, store, registry, now_ms, threading.Event())
        try:
            cpu_s = time.process_time()
            first, second = sweeper.sweep(), sweeper.sweep()
            cpu_s = time.process_time() - cpu_s
            power = state_of(store).power
        finally:
            sweeper.close()
            store.close()
    assert first is not None
    assert second is not None
    live = [number for number in range(count) if kind(number) == "lives"]
    missed = [number for number in live if power[f"orch-{number}"].no_credit not in (None, "unpriced")]
    return Sweeps(first, second, cpu_s / 2, len(live), len(missed))


def _allow_files(limit: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.worker.many_hosts", description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=5000, metavar="COUNT")
    parser.add_argument("--limit", type=int, default=1024, metavar="N", help="open files allowed (1024)")
    parser.add_argument("--host", type=int, metavar="PORT", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.host is not None:
        host_all(chosen.count, chosen.host)
        return
    _allow_files(chosen.limit)
    with tempfile.TemporaryDirectory() as folder:
        found = sweep_twice(Path(folder), chosen.count)
    for name, report in (("first", found.first), ("second", found.second)):
        sys.stdout.write(
            f"{name} sweep: {report.asked} asked, {report.awake} of {found.live} awake, {report.unknown} unknown, "
            f"{report.left_out} left out, {report.seconds:.1f} s\n"
        )
    sys.stdout.write(f"{found.cpu_s:.1f} s of processor time a sweep, {found.missed} live hosts missed\n")


if __name__ == "__main__":
    main()
