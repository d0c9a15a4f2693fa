"""``python -m worker``, and the ``payments-worker`` command."""

import resource
import signal
import sys

from payments.errors import PaymentsError
from payments.logs import log_as_json
from payments.settings import Settings
from worker.service import SIGNALS, serve


def main() -> int:
    """The exit code: 0 when it was told to stop, 1 with the reason on standard error when it cannot start."""
    log_as_json()
    # Every host that is asked takes a descriptor, and the usual soft limit is there for programs that use select().
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # Before any thread: all inherit it, and the main one takes them when it is ready for them.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        settings: Settings | None = Settings.load()
        while settings is not None:
            settings = serve(settings)
    except PaymentsError as error:
        print(f"payments-worker: cannot start:\n{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
