"""The ``payments`` command: what an operator asks, in one command each.

Most commands are calls of the HTTP API, made in this process on the files that the settings name, whether or not the
API runs beside it; with ``--api-url`` the same calls go to an API elsewhere. So a command shows what the API shows, and
there is one way to do anything. Long work on the journal itself (verify, export, backup, restore) is done on the files;
so are the import and ``config check``.

``app``            the command line as a whole
``calls``          the calls, made here or elsewhere
``output``         tables for people (``tables``), ``--json`` for programs, exit codes
``judging``        what would stop a start
``files``          files for somebody, written whole or not at all
``orchestrators``, ``sessions``, ``ledger``, ``payouts``, ``importing``, ``backups``, ``service``  the commands, by what
                   they are about
``demo``           all of it at work on one machine

May import every room but ``worker``. Not here: what the calls do (``payments.web``).
"""

import sys


def main() -> None:
    """The whole of it, as the command line has it. Ends the process."""
    try:
        # Imported in here, for that takes most of a start: whoever presses Ctrl-C meanwhile is told the same as later.
        from payments.cli.app import main as command

        command(prog_name="payments")
    except KeyboardInterrupt:
        sys.stderr.write("\nAborted!\n")
        sys.exit(1)


__all__ = ["main"]
