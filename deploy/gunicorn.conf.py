"""gunicorn's settings for Payments: ``gunicorn -c deploy/gunicorn.conf.py wsgi:app``."""

import subprocess
import sys
from pathlib import Path

# In a process of its own: what the master imports, its workers inherit, and a reload would go on with the old code.
_preflight = subprocess.run([sys.executable, "-m", "payments.web.preflight"], stdout=subprocess.PIPE, text=True)
if _preflight.returncode:
    sys.exit(_preflight.returncode)
bind = _preflight.stdout.strip()

# Two processes share the journal through its lock; more of them than cores only wait for each other.
workers = 2
# Threads overlap the syncs of the journal, which one commit then covers for all of them.
worker_class = "gthread"
threads = 8
# Each process opens the store itself: neither locks nor descriptors may be shared over a fork.
preload_app = False
# A client that gave up is still served; a short queue keeps the others from waiting behind it.
worker_connections = 64
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
