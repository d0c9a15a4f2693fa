"""``python -m payments.cli``, the same as ``payments``."""

from payments.cli import main

main()
