"""gunicorn's settings for Payments: ``gunicorn -c deploy/gunicorn.conf.py wsgi:app``."""

import fcntl
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from gunicorn import util
from gunicorn.glogging import Logger
from pythonjsonlogger.json import JsonFormatter

_METRICS = "PROMETHEUS_MULTIPROC_DIR"
_ACTIVATED = "PAYMENTS_ACTIVATED_MASTER"

# gunicorn would report READY before a worker is up, so systemd/alive.py notifies systemd instead.
_notify_socket = os.environ.pop("NOTIFY_SOCKET", None)


def _preflight(environment: Mapping[str, str]) -> Any:
    """The settings that the API would start with in ``environment``; ``None`` if it cannot start (the log says why).

    Runs in a separate process: workers inherit what the master imports, so a reload would keep the old code.
    """
    run = subprocess.run(
        [sys.executable, "-m", "payments.web.preflight"],
        stdout=subprocess.PIPE,
        env={name: value for name, value in environment.items() if name != _METRICS},
    )
    return None if run.returncode else json.loads(run.stdout)


_found = _preflight(os.environ)
if _found is None:
    sys.exit(1)
bind = _found["bind"]
if os.environ.get("LISTEN_PID") == str(os.getpid()):
    os.environ[_ACTIVATED] = str(os.getpid())
if os.environ.get(_ACTIVATED) == str(os.getpid()):
    # systemd has opened the socket. With any other address here, gunicorn would close it and open its own.
    bind = "unix:opened-by-systemd"
# Workers that replace dead ones use the same settings, even if .env was edited meanwhile.
raw_env = [f"{name}={value}" for name, value in _found["environment"].items()]

# Processes share the journal through its lock; more than two mostly wait for each other.
workers = 2
# Threads: while the journal syncs, other requests are read and answered; one sync serves all waiting requests.
worker_class = "gthread"
# More than may wait for the journal's lock (store.file.store.MOST_WAITING); the rest answer other requests.
threads = 64
# Each process opens the store itself: locks and descriptors must not be shared across a fork.
preload_app = False
# Idle connections beyond this number minus the threads are closed after their next answer.
worker_connections = 320
keepalive = 15
# Seconds. More than a request waits for the journal's lock (5 s).
graceful_timeout = 15
timeout = 30
# Workers touch a heartbeat file every second; on a disk that could block.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None
# This socket can stop the server and is open by default since gunicorn 25.1. systemd stops the server here.
control_socket_disable = True
# By default, clients from loopback (so also clients of a proxy) may set SCRIPT_NAME and cause a 500.
forwarder_headers = ""
# PAYMENTS_BEHIND_PROXY alone decides whether to trust X-Forwarded-Proto and similar headers.
secure_scheme_headers: dict[str, str] = {}
# Only owner and group may connect to a unix socket (by default everyone may). Add nginx's user to the group.
umask = 0o117
# The longest line contains a session id: 128 characters of up to 12 bytes each. The longest header is a token.
# Longer or more ones are answered with 414 or 431. nginx/payments.conf has the same limits.
limit_request_line = 4094
limit_request_fields = 50
limit_request_field_size = 4094


class _JsonLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Formats gunicorn's log like the application's (payments.logs), which must not be imported here."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        form = JsonFormatter(
            ("levelname", "name", "message"), timestamp="time", rename_fields={"levelname": "level", "name": "logger"}
        )
        for handler in (*self.error_log.handlers, *self.access_log.handlers):
            handler.setFormatter(form)


# No access log by default, since it costs more than it is worth; --access-logfile - turns it on.
logger_class = _JsonLogger


def _metrics_folder(parent: Path) -> str:
    """Make a folder for the counters of this server's workers, and remove folders of servers that are gone."""
    prefix = f"payments-metrics-{os.getpid()}-"
    known = os.environ.get(_METRICS, "")
    if Path(known).name.startswith(prefix) and Path(known).is_dir():
        # A reload: the old workers are still counting.
        return known
    for left in parent.glob("payments-metrics-*"):
        with suppress(OSError):
            _remove_unheld(left)
    folder = tempfile.mkdtemp(prefix=prefix, dir=parent)
    # This process and all its workers hold the lock until the last of them ends, even if killed.
    new = Path(folder, "new")
    fcntl.flock(os.open(new, os.O_CREAT | os.O_RDWR), fcntl.LOCK_EX)
    new.rename(new.with_name("held"))
    return folder


def _remove_unheld(folder: Path) -> None:
    """Remove ``folder`` if no server holds it. Raises ``OSError`` if one does.

    Other users may create files next to ours: opening a FIFO would block, and a link may point anywhere.
    """
    if not _is_own(folder.lstat(), stat.S_IFDIR):
        return
    held = os.open(folder / "held", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if _is_own(os.fstat(held), stat.S_IFREG):
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(held)


def _is_own(found: os.stat_result, kind: int) -> bool:
    return found.st_uid == os.geteuid() and stat.S_IFMT(found.st_mode) == kind


# Must be set before prometheus_client is imported, which only workers do. In memory, since every event writes to it.
os.environ[_METRICS] = _metrics_folder(Path(worker_tmp_dir or tempfile.gettempdir()))


def when_ready(server: Any) -> None:
    """Start ``alive.py`` if systemd wants notifications, and make reloads safe.

    A reload is checked before it begins: bad settings would end gunicorn, and the API with it.
    """
    if _notify_socket:
        address = server.LISTENERS[0].sock.getsockname()
        server.alive = subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).parent / "systemd" / "alive.py"),
                f"unix:{address}" if isinstance(address, str) else f"{address[0]}:{address[1]}",
            ],
            env={**os.environ, "NOTIFY_SOCKET": _notify_socket},
        )
    reload = server.reload

    def reload_if_sound() -> None:
        if _preflight(server.cfg.env_orig) is None:
            server.log.error("PAY-A01 Not reloaded, for what stands above; everything goes on as it was")
        else:
            reload()

    server.reload = reload_if_sound


def on_starting(server: Any) -> None:
    """Refuse a unix socket that is in use: gunicorn would take it for a leftover and replace it."""
    address = server.address[0]
    if isinstance(address, str) and not {"GUNICORN_FD", "LISTEN_FDS"} & set(os.environ):
        # Workers of a killed master keep listening for about a second.
        deadline_s = time.monotonic() + 5
        while _is_listened_on(address):
            if time.monotonic() > deadline_s:
                server.log.error("Connection in use: %s", address)
                sys.exit(1)
            time.sleep(0.1)


def _is_listened_on(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except BlockingIOError:
            # Its queue is full. A blocking connect would wait forever.
            return True
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True


def child_exit(_server: Any, worker: Any) -> None:
    """Keep the counters of the ended worker; drop its gauges."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: Any) -> None:
    """Remove the counters."""
    shutil.rmtree(os.environ[_METRICS], ignore_errors=True)


_cores = sorted(os.sched_getaffinity(0))


def pre_fork(server: Any, worker: Any) -> None:
    """Choose the core with the fewest workers."""
    taken = [other.core for other in server.WORKERS.values() if other is not worker]
    worker.core = min(reversed(_cores), key=taken.count)


def post_fork(_server: Any, worker: Any) -> None:
    """Pin the worker to its core.

    Python runs one thread of a process at a time. A thread that wakes up on another core must wait anyway; measured,
    that costs a third of the throughput.
    """
    # gthread waits up to two seconds for a client to close, and does so in the thread that accepts all connections.
    util.close_graceful = partial(ThreadPoolExecutor(16, "closing").submit, util.close_graceful)
    # Some containers forbid this; the worker runs without it, too.
    with suppress(OSError):
        os.sched_setaffinity(0, {worker.core})
