"""What the views work with, made once by ``create_app`` and found through the current application."""

from collections.abc import Callable
from typing import NamedTuple

from flask import Flask, current_app

from payments.registry import Registry
from payments.settings import Settings
from payments.store import Store
from payments.web.tokens import Gate


class Services(NamedTuple):
    """The rooms below, as one request sees them."""

    settings: Settings
    store: Store
    registry: Registry
    gate: Gate
    now_ms: Callable[[], int]


def attach(app: Flask, services: Services) -> None:
    """Let the views of ``app`` find ``services``."""
    app.extensions["payments"] = services


def services() -> Services:
    """Those of the application that serves the current request."""
    found = current_app.extensions["payments"]
    assert isinstance(found, Services)
    return found


def close_store(app: Flask) -> None:
    """Leave the projections up to date; ``app`` serves no request any more."""
    services: Services = app.extensions["payments"]
    services.store.close()
