"""Fixtures that several folders use."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import Clock, Server, running_server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the modules that take long: whoever comes to one of them last is waited for by all others."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture
def clock() -> Clock:
    """A clock that stands at ``NOON_MS`` until it is moved."""
    return Clock()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of one's own, with two workers, all tokens set and 0.001 ETH a minute."""
    with running_server(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that the tests of one module share; use session ids of your own."""
    with running_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def open_umask() -> Iterator[None]:
    """A umask that takes nothing away, so that modes are those that were asked for."""
    before = os.umask(0)
    yield
    os.umask(before)
