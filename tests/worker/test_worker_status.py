"""Which of several workers holds the lease, and the status that it publishes."""

from contextlib import closing
from pathlib import Path

import pytest

from payments.store import Engine
from payments.worker_status import SweepStatus, WorkerStatus, read_status, worker_lease
from tests.harness import file_engine, journal_path

SWEEP = SweepStatus(1, 0.5, 3, 1, 1, 1, 0, "0.1")


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """The files in an empty folder."""
    return file_engine(tmp_path)


def test_one_is_on_duty_until_it_ends(engine: Engine) -> None:
    with closing(worker_lease(engine)) as first, closing(worker_lease(engine)) as second:
        tries = [first.try_acquire(), second.try_acquire(), first.try_acquire(), second.try_acquire()]
        assert tries == [True, False, True, False]
    with closing(worker_lease(engine)) as third:
        assert third.try_acquire()


def test_a_status_is_read_as_it_was_published(engine: Engine) -> None:
    assert read_status(engine) is None
    with closing(worker_lease(engine)) as lease:
        for status in (WorkerStatus(1, 2, 3, None), WorkerStatus(4, 5, 6, SWEEP)):
            lease.publish(status.as_json())
            assert read_status(engine) == status


def test_its_files_are_beside_the_journal_and_for_nobody_else(engine: Engine, tmp_path: Path) -> None:
    with closing(worker_lease(engine)) as lease:
        lease.try_acquire()
        lease.publish(WorkerStatus(1, 2, 3, SWEEP).as_json())
    modes = {path.name: path.stat().st_mode & 0o777 for path in journal_path(tmp_path).parent.iterdir()}
    assert modes == {"ledger-events.log.worker.lock": 0o600, "ledger-events.log.worker.json": 0o600}
