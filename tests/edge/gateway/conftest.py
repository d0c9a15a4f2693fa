"""Fixtures of the gateway's tests: a stand-in for Payments by the real clock."""

from collections.abc import Iterator

import pytest

from tests.edge.stand_in import StandIn, standing_in
from tests.harness import RealClock


@pytest.fixture(scope="module")
def payments() -> Iterator[StandIn]:
    """A stand-in for Payments, shared by the tests of a module: look for the ids of your own sessions."""
    with standing_in(RealClock()) as running:
        yield running
