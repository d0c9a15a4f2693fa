"""Fixtures for what depends on the process's own settings."""

import os
from collections.abc import Iterator

import pytest


@pytest.fixture
def open_umask() -> Iterator[None]:
    """A umask that takes nothing away, so that modes are those that were asked for."""
    before = os.umask(0)
    yield
    os.umask(before)
