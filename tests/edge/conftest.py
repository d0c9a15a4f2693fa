"""Fixtures of the edge's tests."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge.edge import EdgeLife, edge
from tests.edge.stand_in import StandIn, standing_in
from tests.harness import Clock, uncoded


@pytest.fixture
def stand_in(clock: Clock) -> Iterator[StandIn]:
    """A stand-in for Payments that uses the test's clock."""
    with standing_in(clock) as running:
        yield running


@pytest.fixture
def life(tmp_path: Path, stand_in: StandIn) -> Iterator[EdgeLife]:
    """An edge that sends to the stand-in and uses its clock."""
    with edge(tmp_path / "spool", stand_in.url, stand_in.clock) as made:
        yield made


class EdgeLog:
    """What the edge logs."""

    def __init__(self, log: pytest.LogCaptureFixture) -> None:
        self._log = log

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Level and text of each line."""
        mine = [each for each in self._log.records if each.name.startswith("payments.edge")]
        return [(each.levelname, uncoded(each.getMessage())) for each in mine]


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> EdgeLog:
    """The log of the edge, level INFO and above."""
    caplog.set_level(logging.INFO, "payments.edge")
    return EdgeLog(caplog)
