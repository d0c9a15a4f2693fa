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

# gunicorn would call itself ready before a worker is up; what is told to systemd, systemd/alive.py tells it.
_notify_socket = os.environ.pop("NOTIFY_SOCKET", None)


def _preflight(environment: Mapping[str, str]) -> Any:
    """What the API would start with in ``environment``; ``None``: it could not, and the log says why.

    In a process of its own: what the master imports, its workers inherit, and a reload would go on with the old code.
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
    # systemd has opened the socket. To gunicorn another address here is another socket, for which it closes that one.
    bind = "unix:opened-by-systemd"
# For a worker that takes the place of one that died, too, though .env may have been edited since.
raw_env = [f"{name}={value}" for name, value in _found["environment"].items()]

# Two processes share the journal through its lock; more of them than cores only wait for each other.
workers = 2
# While the journal is synced for some, others are read and answered; one write and one sync serve all that wait.
worker_class = "gthread"
# More than may wait for the journal's lock (store.file.store.MOST_WAITING): the others answer whoever else asks.
threads = 64
# Each process opens the store itself: neither locks nor descriptors may be shared over a fork.
preload_app = False
# Room for idle ones: those beyond this less the threads are closed with their next answer.
worker_connections = 320
keepalive = 15
# Longer than a request waits for its turn at the journal (5 s).
graceful_timeout = 15
timeout = 30
# The workers' heartbeat is a file that is touched every second: on a disk it would wait for the disk.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None
# A socket that can stop the server, open by default since gunicorn 25.1; systemd does that here.
control_socket_disable = True
# By default whoever connects from loopback, a proxy's clients too, may set SCRIPT_NAME and so cause a 500.
forwarder_headers = ""
# And X-Forwarded-Proto and its like: whether to believe that is for PAYMENTS_BEHIND_PROXY to say.
secure_scheme_headers: dict[str, str] = {}
# A unix socket is for its owner and group, by default it is for everybody. nginx's user has to be in the group.
umask = 0o117
# The longest line has a session id in it, 128 characters that may take 12 bytes each; the longest header is a token.
# What is longer, or more, is answered 414 or 431. nginx/payments.conf lets no more through than this.
limit_request_line = 4094
limit_request_fields = 50
limit_request_field_size = 4094


class _JsonLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """The server's own log in the form of the application's (payments.logs), which nothing here may import."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        form = JsonFormatter(
            ("levelname", "name", "message"), timestamp="time", rename_fields={"levelname": "level", "name": "logger"}
        )
        for handler in (*self.error_log.handlers, *self.access_log.handlers):
            handler.setFormatter(form)


# A line for every request only with --access-logfile -: it costs more than it tells.
logger_class = _JsonLogger


def _metrics_folder(parent: Path) -> str:
    """A new folder for the counters of this server's workers; those that no server holds any more are removed."""
    prefix = f"payments-metrics-{os.getpid()}-"
    known = os.environ.get(_METRICS, "")
    if Path(known).name.startswith(prefix) and Path(known).is_dir():
        # A reload: the workers before it count on.
        return known
    for left in parent.glob("payments-metrics-*"):
        with suppress(OSError):
            _remove_unheld(left)
    folder = tempfile.mkdtemp(prefix=prefix, dir=parent)
    # Held by this process and all its workers, until the last of them has ended, however it does.
    new = Path(folder, "new")
    fcntl.flock(os.open(new, os.O_CREAT | os.O_RDWR), fcntl.LOCK_EX)
    new.rename(new.with_name("held"))
    return folder


def _remove_unheld(folder: Path) -> None:
    """Remove ``folder`` if no server holds it. Raises ``OSError`` where one does.

    Anybody may put anything beside ours: a FIFO would be waited for without end, and behind a link is something else.
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


# Before prometheus_client is imported, which only the workers do. In memory: every event writes to it.
os.environ[_METRICS] = _metrics_folder(Path(worker_tmp_dir or tempfile.gettempdir()))


def when_ready(server: Any) -> None:
    """Have systemd told how this server fares, if it wants to know.

    And have a reload looked at before it begins: over bad settings gunicorn would end, and the API with it.
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
    """Leave a socket alone that is listened on: gunicorn takes every one for a left-over and puts its own in place."""
    address = server.address[0]
    if isinstance(address, str) and not {"GUNICORN_FD", "LISTEN_FDS"} & set(os.environ):
        # The workers of a master that was killed listen for about a second more.
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
            # More wait there already than it takes; by itself this would wait with them, without end.
            return True
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True


def child_exit(_server: Any, worker: Any) -> None:
    """What the worker counted stays; what it merely measured goes."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: Any) -> None:
    """The counters go with the server."""
    shutil.rmtree(os.environ[_METRICS], ignore_errors=True)


_cores = sorted(os.sched_getaffinity(0))


def pre_fork(server: Any, worker: Any) -> None:
    """Choose the core that the fewest workers have."""
    taken = [other.core for other in server.WORKERS.values() if other is not worker]
    worker.core = min(reversed(_cores), key=taken.count)


def post_fork(_server: Any, worker: Any) -> None:
    """Keep the worker to its core.

    Python runs one thread of a process at a time. Threads that wake up on another core only find that they must wait:
    measured, that costs a third of the rate.
    """
    # gthread waits up to two seconds for a client to close too, in the thread that takes everybody's connections.
    util.close_graceful = partial(ThreadPoolExecutor(16, "closing").submit, util.close_graceful)
    # Where the system does not let it, for instance in some containers, it works all the same.
    with suppress(OSError):
        os.sched_setaffinity(0, {worker.core})
