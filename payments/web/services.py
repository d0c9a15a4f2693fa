"""What views use: made once by ``create_app``, found through the current application."""

from collections.abc import Callable
from typing import NamedTuple

from flask import Flask, current_app

from payments.errors import Rejected
from payments.registry import Registry
from payments.settings import Settings
from payments.store import Engine, Store
from payments.web.tokens import Gate


class Services(NamedTuple):
    """Settings, store, registry, token check and clock."""

    settings: Settings
    engine: Engine
    store: Store
    registry: Registry
    gate: Gate
    now_ms: Callable[[], int]

    def check_orchestrator(self, orchestrator_id: str) -> None:
        """Raises ``Rejected`` (``not-found``) for an orchestrator that was never registered or credited."""
        if orchestrator_id not in self.registry.records() and self.store.balance(orchestrator_id) is None:
            raise Rejected("not-found", f'no orchestrator "{orchestrator_id}" is registered or was ever credited')


def attach(app: Flask, services: Services) -> None:
    """Make ``services`` available to the views of ``app``."""
    app.extensions["payments"] = services


def services() -> Services:
    """The services of the application that handles the current request."""
    found = current_app.extensions["payments"]
    assert isinstance(found, Services)
    return found


def close_store(app: Flask) -> None:
    """Bring the projections up to date, and close the store. ``app`` must serve no more requests."""
    services: Services = app.extensions["payments"]
    services.store.close()
