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
Stands between viewers of Pixel Streaming and game hosts, and reports to Payments which viewer was connected to which
host for how long. Settings come from the environment and from .env in this folder.
"""
_SIGNALS = """\
SIGTERM closes all viewers, reports the end of each session, and exits; a second SIGTERM hurries. SIGHUP reloads the
file of routes. Exit codes: 0 stopped by a signal; 1 cannot start, see the message; 2 wrong command line.
"""


def main() -> int:
    """Run the command line; return an exit code as ``--help`` explains them."""
    parser = argparse.ArgumentParser("ps-gateway", description=_ABOUT, epilog=_SIGNALS)
    parser.add_argument(
        "--check",
        action="store_true",
        help="check settings and routes, ask each game host for a page, and exit",
    )
    add_parser(parser.add_subparsers(dest="command", metavar="spool"))
    arguments = parser.parse_args()
    if arguments.command:
        return run(arguments)
    log_as_json()
    # Each viewer needs two descriptors. The usual soft limit is for programs that use select().
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
