"""A reporter that is killed at any of its file operations, in its first life and in the one after."""

import os
from pathlib import Path

import pytest

from tests.disk.scripted import HastyDisk
from tests.edge.crashing import Deadly, Story, operations

STEP = 1 if "PAYMENTS_TEST_EXAMPLES" in os.environ else 7
"""Of pairs of operations every seventh of each is tried, unless a campaign is asked for."""


def test_a_life_that_nobody_ends_is_sound(tmp_path: Path) -> None:
    story = Story(tmp_path / "spool")
    story.live(HastyDisk())
    story.live_on()
    story.check()


@pytest.mark.parametrize("half_done", [False, True], ids=["before it", "in the middle of a write"])
def test_killed_at_any_operation_loses_no_start_and_no_end_and_bills_no_moment_twice(
    tmp_path: Path, half_done: bool
) -> None:
    count = operations(tmp_path / "counted")
    assert count > 150
    for number in range(count):
        story = Story(tmp_path / f"{number}")
        story.live(Deadly(number, half_done=half_done))
        story.live_on()
        story.check()


def test_killed_again_while_it_comes_back_is_no_different(tmp_path: Path) -> None:
    count = operations(tmp_path / "counted")
    for number in range(0, count, STEP):
        for again in range(0, 40, STEP):
            story = Story(tmp_path / f"{number}-{again}")
            story.live(Deadly(number, half_done=True))
            story.clock.now_ms += 1000
            story.live(Deadly(again, half_done=True))
            story.live_on()
            story.check()
