"""gunicorn's settings for Payments: ``gunicorn -c deploy/gunicorn.conf.py wsgi:app``."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

# In a process of its own: what the master imports, its workers inherit, and a reload would go on with the old code.
_preflight = subprocess.run([sys.executable, "-m", "payments.web.preflight"], stdout=subprocess.PIPE, text=True)
if _preflight.returncode:
    sys.exit(_preflight.returncode)
bind = _preflight.stdout.strip()

# Two processes share the journal through its lock; more of them than cores only wait for each other.
workers = 2
# While the journal is synced for some, others are read and answered; one write and one sync serve all that wait.
worker_class = "gthread"
threads = 8
# Each process opens the store itself: neither locks nor descriptors may be shared over a fork.
preload_app = False
# A client that gave up is still served; a short queue keeps the others from waiting behind it. It also keeps one worker
# from accepting every connection while the other has none, which halves the rate for as long as they stay open.
worker_connections = 12
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

_cores = sorted(os.sched_getaffinity(0))


def pre_fork(server: Any, worker: Any) -> None:
    """Choose the core that the fewest workers have."""
    taken = [other.core for other in server.WORKERS.values() if other is not worker]
    worker.core = min(reversed(_cores), key=taken.count)


def post_fork(_server: Any, worker: Any) -> None:
    """Keep the worker to its core, and let none of its threads interrupt the one that runs.

    Python runs one thread of a process at a time. Threads that wake up on another core, or interrupt the one that has
    the interpreter, only find that they must wait: measured, that costs a third of the rate and doubles the p99.
    """
    # Where the system does not let it, for instance in some containers, it works all the same.
    with suppress(OSError):
        os.sched_setaffinity(0, {worker.core})
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
