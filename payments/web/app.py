"""The application factory."""

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import BaseConverter

from payments.clock import now_ms
from payments.registry import Registry, bootstrap
from payments.settings import Settings
from payments.store import engine_of, open_store
from payments.web import health, ledger, metrics, orchestrators, power, problems, sessions
from payments.web.answers import Orjson
from payments.web.meters import observe_commit
from payments.web.openapi import views as openapi
from payments.web.services import Services, attach
from payments.web.tokens import Gate
from payments.web.trace import trace_requests


class _AnyPath(BaseConverter):
    """The rest of the path: a session id may contain slashes, also at its beginning."""

    part_isolating = False
    regex = ".+?"
    weight = 200


def create_app(settings: Settings) -> Flask:
    """Make the API on the files that ``settings`` name. Call it after the fork: locks do not survive one.

    Raises ``Misconfigured``, ``Corrupt`` or ``Unavailable`` if it cannot start.
    """
    registry = Registry(settings.registry_path, now_ms)
    if settings.bootstrap_orchestrators_path is not None:
        bootstrap(registry, settings.bootstrap_orchestrators_path, now_ms)
    store = open_store(settings, registry.attribution, observe_commit)

    app = Flask("payments", static_folder=None)
    app.json = Orjson(app)
    app.url_map.merge_slashes = False
    app.url_map.converters["anything"] = _AnyPath
    attach(app, Services(settings, engine_of(settings), store, registry, Gate(settings), now_ms))
    trace_requests(app)
    if settings.behind_proxy:
        # Trust one hop for address and scheme, but no host, port or prefix of a header.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1)  # type: ignore[method-assign]
    problems.handle_errors(app)
    for views in (sessions, ledger, orchestrators, power, health, metrics, openapi):
        app.register_blueprint(views.blueprint)
    return app
