"""``python -m payments.web.preflight``: can the API start? If not, says what is in the way.

If so, prints JSON: where it would listen (``bind``), and the ``environment`` that makes every worker find the settings
that were looked at, whatever becomes of ``.env``: two that know different rates would pay differently.

Opens everything as a worker does, so a torn tail is set aside and missing projections are made before the first worker.
"""

import json
import sys

from payments.errors import PaymentsError
from payments.logs import log_as_json
from payments.settings import Settings
from payments.web.app import create_app
from payments.web.services import close_store


def main() -> int:
    """The exit code: 0, or 1 with the reason on standard error."""
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
