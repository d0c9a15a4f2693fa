"""Stores of every engine."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from payments.domain.sessions import HEARTBEAT
from payments.store import Store
from tests.harness import HOST_A, HOST_B, event, folder_in_memory
from tests.store.store_fixture import MINUTE_MS, StoreFixture


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder for each test, but in memory; tests of servers, in other folders, use the disk."""
    with folder_in_memory() as folder:
        yield folder


@pytest.fixture(params=["memory", "file", "file-in-segments"])
def env(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreFixture]:
    """A store of each engine; the file engine's journal is one file, or segments of four entries."""
    env = StoreFixture(
        None if request.param == "memory" else tmp_path, 4096 if "segments" in request.param else 1 << 28
    )
    yield env
    env.close()


@pytest.fixture
def file_env(tmp_path: Path) -> Iterator[StoreFixture]:
    """A store of the file engine, for tests that need shared files."""
    env = StoreFixture(tmp_path)
    yield env
    env.close()


@pytest.fixture
def store(env: StoreFixture) -> Store:
    """The empty store of ``env``."""
    return env.store


@pytest.fixture
def minutes(env: StoreFixture) -> StoreFixture:
    """Twelve entries, one a minute: two sessions on two hosts, then one that matches nobody."""
    for minute in range(12):
        session_id, host = [("s-1", HOST_A), ("s-2", HOST_B), ("s-3", "198.51.100.1")][minute % 3]
        env.store.execute([event(session_id, HEARTBEAT, env.clock.now_ms, upstream_addr=host)])
        env.clock.now_ms += MINUTE_MS
    return env


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Let threads interrupt each other a thousand times as often as usual, so that missing locks show."""
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(usual_s / 1000)
    yield
    sys.setswitchinterval(usual_s)
