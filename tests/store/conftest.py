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
    """Of each test its own, as everywhere, but in memory; servers and their like, in other folders, have a disk."""
    with folder_in_memory() as folder:
        yield folder


@pytest.fixture(params=["memory", "file", "file-in-segments"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreFixture]:
    """A house of each engine, closed at the end; the file engine's journal is one file, or one of four entries each."""
    house = StoreFixture(
        None if request.param == "memory" else tmp_path, 4096 if "segments" in request.param else 1 << 28
    )
    yield house
    house.close()


@pytest.fixture
def file_house(tmp_path: Path) -> Iterator[StoreFixture]:
    """A house of the file engine, for what only shared files can do."""
    house = StoreFixture(tmp_path)
    yield house
    house.close()


@pytest.fixture
def store(house: StoreFixture) -> Store:
    """The store of the house, empty."""
    return house.store


@pytest.fixture
def minutes(house: StoreFixture) -> StoreFixture:
    """Twelve entries, one a minute: two sessions on two hosts, then one that matches nobody."""
    for minute in range(12):
        session_id, host = [("s-1", HOST_A), ("s-2", HOST_B), ("s-3", "198.51.100.1")][minute % 3]
        house.store.execute([event(session_id, HEARTBEAT, house.clock.now_ms, upstream_addr=host)])
        house.clock.now_ms += MINUTE_MS
    return house


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Threads that interrupt each other a thousand times as often as usual, so that what needs a lock shows it."""
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(usual_s / 1000)
    yield
    sys.setswitchinterval(usual_s)
