"""The HTTP API: ``create_app(settings)`` makes the WSGI application.

Views are short: token, schema, command, answer. A request is checked in this order: token, content type, size, JSON,
fields; what fails is answered as RFC 9457 problem details by ``problems``, the only module that knows HTTP status
codes for errors.

May import everything but ``worker``. Not here: decisions about money and sessions (``payments.domain``).
"""

from payments.web.app import create_app

__all__ = ["create_app"]
