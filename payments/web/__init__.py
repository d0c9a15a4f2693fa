"""The HTTP API: ``create_app(settings)`` makes the WSGI application.

Views are short: token, schema, command, answer. A request is checked in this order: token, content type, size, JSON,
fields. A failure is answered as RFC 9457 problem details by ``problems``, the only module that maps errors to HTTP
status codes.

Not here: decisions about money and sessions (``payments.domain``).

Modules:

``app``            the application factory
``services``       what views use, made once by ``create_app``
``sessions``       ``/api/sessions``: events in, sessions out
``ledger``         ``/api/ledger``: entries, balances, adjustments, payouts
``orchestrators``  ``/api/orchestrators``: records
``stats``          ``/api/orchestrators/{id}/stats``: earnings by day and reason
``power``          ``/api/power``: readings
``health``         ``/healthz``, ``/readyz``
``metrics``        ``/metrics``, for Prometheus
``openapi``        ``/openapi.json``, ``/docs``
``tokens``         the three roles, and who may make which call
``body``           reads the JSON of a request
``schemas``        the fields of requests
``answers``        writes the JSON of an answer
``problems``       errors as problem details
``routes``         prints routes as people read them
``trace``          the id, metrics and log line of every request
``meters``         this process's counters, in memory or in a file of its own
``worker``         how the worker is doing, for probes and metrics
``preflight``      ``python -m payments.web.preflight``: can the API start?
"""

from payments.web.app import create_app

__all__ = ["create_app"]
