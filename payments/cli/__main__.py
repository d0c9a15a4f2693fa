"""``python -m payments.cli``, the same as ``payments``."""

from payments.cli.app import main

main(prog_name="payments")
