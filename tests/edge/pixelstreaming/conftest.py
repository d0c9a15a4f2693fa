"""One browser, one signalling server and two streamers for all tests of a module."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.edge.pixelstreaming.stage import LISBON, PORTO, Signalling, browsing, signalling_server, stream


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as started:
        yield started


@pytest.fixture(scope="module")
def signalling(browser: Browser) -> Iterator[Signalling]:
    """The signalling server, with both streamers."""
    with signalling_server() as started:
        for each in (LISBON, PORTO):
            stream(browser, started, each)
        yield started
