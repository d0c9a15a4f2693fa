"""``ps-gateway``, and ``python -m payments.edge.gateway``."""

import argparse
import asyncio
import resource
import sys

from payments.edge.gateway.service import load_routes_and_warn, serve
from payments.edge.gateway.spool_command import add_parser, run
from payments.edge.gateway.upstream import check
from payments.edge.settings import EdgeSettings
from payments.errors import PaymentsError
from payments.logs import log_as_json

_ABOUT = """\
Stands between the viewers of Pixel Streaming and game hosts, and tells Payments who was connected to which of them for
how long. Settings come from the environment and from .env in this folder.
"""
_SIGNALS = """\
SIGTERM lets viewers go, reports the end of each of their sessions, and ends; a second one hurries. SIGHUP reads the
file of routes again. Exit codes: 0 it was told to stop; 1 it cannot start, see the message; 2 the command line is
wrong.
"""


def main() -> int:
    """The exit code, as ``--help`` has them."""
    parser = argparse.ArgumentParser("ps-gateway", description=_ABOUT, epilog=_SIGNALS)
    parser.add_argument(
        "--check",
        action="store_true",
        help="say whether settings and routes are sound, and what game hosts answer, and end",
    )
    add_parser(parser.add_subparsers(dest="command", metavar="spool"))
    arguments = parser.parse_args()
    if arguments.command:
        return run(arguments)
    log_as_json()
    # Every viewer takes two descriptors, and the usual soft limit is there for programs that use select().
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        settings = EdgeSettings.load()
        if arguments.check:
            asyncio.run(check(load_routes_and_warn(settings).upstreams))
        else:
            asyncio.run(serve(settings))
    except PaymentsError as error:
        print(f"ps-gateway: cannot start:\n{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
