"""``python -m payments.web.preflight``: can the API start? If not, prints the problems.

If it can, prints JSON: where it would listen (``bind``), and the ``environment`` that gives every worker these
settings, even if ``.env`` changes later: workers with different rates would pay differently.

It opens everything as a worker does, so a torn tail is set aside and missing projections are made beforehand.
"""

import json
import sys

from payments.errors import PaymentsError
from payments.logs import log_as_json
from payments.settings import Settings
from payments.web.app import create_app
from payments.web.services import close_store


def main() -> int:
    """Returns the exit code: 0, or 1 with the reason on standard error."""
    log_as_json()
    try:
        settings, environment = Settings.load_pinned()
        for warning in (*Settings.name_warnings(), *settings.warnings()):
            print(f"payments: warning: {warning}", file=sys.stderr)
        close_store(create_app(settings))
    except PaymentsError as error:
        print(f"payments: cannot start:\n{error}", file=sys.stderr)
        return 1
    print(json.dumps({"bind": settings.bind, "environment": environment}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
