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
Asks the hosts of orchestrators for their power, closes sessions whose end was lost, and compresses what the journal has
sealed. Settings come from the environment and from .env in this folder, as for the API.
"""
_SIGNALS = """\
SIGTERM and SIGINT end it behind the commit in hand. SIGHUP reads the settings again. Exit codes: 0 it was told to stop;
1 it cannot start, see the message; 2 the command line is wrong.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code, as ``--help`` has them, with ``arguments`` in place of the command line's."""
    argparse.ArgumentParser("payments-worker", description=_ABOUT, epilog=_SIGNALS).parse_args(arguments)
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
