"""gunicorn's settings for Payments: ``gunicorn -c deploy/gunicorn.conf.py wsgi:app``."""

import sys

from payments.errors import Misconfigured
from payments.settings import Settings

try:
    bind = Settings.load().bind
except Misconfigured as error:
    sys.exit(f"payments: cannot start:\n{error}")

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
worker_tmp_dir = "/dev/shm"
# A socket that can stop the server, open by default since gunicorn 25.1; systemd does that here.
control_socket_disable = True
