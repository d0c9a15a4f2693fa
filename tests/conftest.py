"""Fixtures that several folders use, and the marks of what tests need."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from Crypto.Hash import keccak  # noqa: F401 - when it is first imported, it runs file(1)

from tests.harness import Clock, Server, running_server

NEEDS = ("processes", "browser", "machine")

NEEDED_IN = {
    "bench": "processes",
    "cli": "processes",
    "deploy": "machine",
    "edge": "processes",
    "edge/pixelstreaming": "browser",
    "system": "processes",
    "worker": "processes",
}
"""What all tests of a folder are marked with."""

NEEDED_FOR = {"server": "processes", "shared_server": "processes"}
"""What tests with a fixture are marked with."""

_STARTS = ("subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system")
_forbidden: list[str] = []


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what tests need, and begin with modules that take long, or all others would wait for them at the end."""
    for item in items:
        folder = item.path.relative_to(Path(__file__).parent).parent
        for place in (str(each) for each in (folder, *folder.parents)):
            if place in NEEDED_IN:
                item.add_marker(NEEDED_IN[place])
        if item.path.stem.endswith("processes"):
            item.add_marker("processes")
        for name in getattr(item, "fixturenames", ()):
            if name in NEEDED_FOR:
                item.add_marker(NEEDED_FOR[name])
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Let a test start processes only if its marks say so; ``run.sh --fast`` goes by them."""
    _forbidden[:] = [] if any(item.get_closest_marker(each) for each in NEEDS) else [item.nodeid]
    try:
        return (yield)
    finally:
        _forbidden.clear()


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    """Nor may a module start one when it is imported."""
    _forbidden[:] = [collector.nodeid]
    try:
        return (yield)
    finally:
        _forbidden.clear()


def _watch(event: str, _: object) -> None:
    if _forbidden and event in _STARTS:
        pytest.fail(f"{_forbidden[0]} starts a process ({event}): mark it with pytest.mark.processes")


# For good: a hook of this kind cannot be taken away.
sys.addaudithook(_watch)


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
