"""What gunicorn serves: ``gunicorn -c deploy/gunicorn.conf.py wsgi:app``."""

import atexit
import sys

from payments.errors import PaymentsError
from payments.logs import log_as_json
from payments.settings import Settings
from payments.web import create_app
from payments.web.services import close_store

_APP_LOAD_ERROR = 4
"""gunicorn's exit code for an application that cannot be loaded: the master stops instead of retrying forever."""

log_as_json()
try:
    app = create_app(Settings.load())
except PaymentsError as error:
    print(f"payments: cannot start:\n{error}", file=sys.stderr)
    sys.exit(_APP_LOAD_ERROR)

atexit.register(close_store, app)
