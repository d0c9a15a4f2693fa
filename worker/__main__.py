"""``python -m worker``, and the ``payments-worker`` command."""

import argparse
import resource
import signal
import sys
from collections.abc import Sequence

from payments.errors import PaymentsError
from payments.logs import log_as_json
from payments.settings import Settings
from worker.service import SIGNALS, serve

_ABOUT = """\
Asks the hosts of orchestrators for their power, closes sessions whose end was lost, and compresses sealed segments of
the journal. Settings come from the environment and from .env in this folder, as for the API.
"""
_SIGNALS = """\
On SIGTERM or SIGINT it exits after the current commit. On SIGHUP it reads the settings again. Exit codes: 0 stopped by
a signal; 1 cannot start, see the message; 2 wrong command line.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the worker; returns the exit code that ``--help`` explains. ``arguments`` replace ``sys.argv``."""
    argparse.ArgumentParser("payments-worker", description=_ABOUT, epilog=_SIGNALS).parse_args(arguments)
    log_as_json()
    # Each host being asked takes a descriptor. The usual soft limit is for programs that use select().
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # Before any thread starts: all inherit the mask, and the main thread waits for the signals.
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
