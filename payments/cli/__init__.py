"""The ``payments`` command.

Most commands call the HTTP API: in this process, on the files that the settings name, whether or not the API runs; or
elsewhere with ``--api-url``. So a command shows what the API shows. Work on the whole journal (verify, export, backup,
restore), the import and ``config check`` use the files directly.

Not here: what the calls do (``payments.web``).

Modules:

``app``            the whole command line
``options``        shared options: where calls go, ``--json``
``calls``          API calls, in this process or elsewhere
``output``         tables or JSON, and exit codes
``tables``         tables for people
``files``          writes output files, whole or not at all
``orchestrators``  ``payments orchestrators``
``sessions``       ``payments sessions``
``explain``        ``payments sessions explain``
``ledger``         ``payments ledger``
``verifying``      ``payments ledger verify``
``exporting``      ``payments ledger export``
``payouts``        ``payments payouts``
``payout_files``   the folder of payout files: which of them may still be unpaid
``recording``      ``payments payouts record``
``importing``      ``payments import``
``backups``        ``payments backup``, ``payments restore``
``service``        ``payments config check``, ``payments serve``, ``payments worker``
``preflight``      what would stop a start
``demo``           ``payments demo``: all of it at work on one machine
"""

import sys


def main() -> None:
    """Run the command line, and exit."""
    try:
        # Imported here, since importing takes most of the start-up time: Ctrl-C during it must be handled, too.
        from payments.cli.app import main as command

        command(prog_name="payments")
    except KeyboardInterrupt:
        sys.stderr.write("\nAborted!\n")
        sys.exit(1)


__all__ = ["main"]
