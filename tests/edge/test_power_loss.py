"""A loss of power at any moment: what was synced is there, and what was sent was synced before.

Of the states that a disk can be left in (``tests.store.file.crash``), a sample; more with ``PAYMENTS_TEST_EXAMPLES``.
"""

import os
from itertools import islice
from pathlib import Path

from tests.edge.crashing import Payments, Story
from tests.store.file.crash.recording import RecordingDisk
from tests.store.file.crash.states import CrashState, crash_states

STATES = round(300 * float(os.environ.get("PAYMENTS_TEST_EXAMPLES") or 1))


def lay(folder: Path, state: CrashState) -> None:
    """Make ``folder`` hold what ``state`` leaves of a spool."""
    folder.mkdir()
    for name, remains in state:
        if "/" in name:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(remains.data)


def after(recorded: Story, operations: int, folder: Path) -> Story:
    """The story as it stood after so many operations, on a disk of which power was taken then."""
    left = Story(folder)
    left.clock.now_ms = recorded.clock.now_ms
    left.payments = Payments(left.clock)
    for at, event in recorded.payments.taken:
        if at <= operations:
            left.payments.decide(event)
    left.told = [told for at, told in recorded.synced if at <= operations]
    return left


def test_a_loss_of_power_loses_nothing_that_was_synced_and_bills_no_moment_twice(tmp_path: Path) -> None:
    recorded = Story(tmp_path / "recorded" / "spool")
    (tmp_path / "recorded").mkdir()
    disk = RecordingDisk(tmp_path / "recorded")
    recorded.operations = lambda: len(disk.log)
    recorded.live(disk)
    recorded.operations = lambda: 0
    seen = dict.fromkeys(crash_states(disk.log))
    assert len(seen) > 1000
    for number, (operations, state) in enumerate(islice(seen, 0, None, max(1, len(seen) // STATES))):
        lay(tmp_path / f"{number}", state)
        left = after(recorded, operations, tmp_path / f"{number}" / "spool")
        left.live_on()
        left.check()
