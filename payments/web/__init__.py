"""The HTTP API: ``create_app(settings)`` makes the WSGI application.

Views are short: token, schema, command, answer. A request is checked in this order: token, content type, size, JSON,
fields. A failure is answered as RFC 9457 problem details by ``problems``, the only module that maps errors to HTTP
status codes.

Not here: decisions about money and sessions (``payments.domain``).

Modules:

``app``            the application factory
``services``       objects shared by views, made once by ``create_app``
``sessions``       ``/api/sessions``: takes events, returns sessions
``ledger``         ``/api/ledger``: entries, balances, adjustments, payouts
``orchestrators``  ``/api/orchestrators``: records
``stats``          ``/api/orchestrators/{id}/stats``: earnings by day and reason
``power``          ``/api/power``: power readings
``health``         ``/healthz``, ``/readyz``
``metrics``        ``/metrics``, for Prometheus
``openapi``        ``/openapi.json``, ``/docs``
``tokens``         checks tokens: the three roles
``body``           reads the JSON of a request
``schemas``        fields of request bodies and query parameters
``answers``        writes responses as JSON
``problems``       errors as problem details
``routes``         routes in the form of OpenAPI
``trace``          id, metrics and log line of every request
``meters``         Prometheus counters of this process
``worker``         health of the worker, for probes and metrics
``preflight``      ``python -m payments.web.preflight``: can the API start?
"""

from payments.web.app import create_app

__all__ = ["create_app"]
