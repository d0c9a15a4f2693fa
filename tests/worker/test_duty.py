"""Who of several workers is on duty, and what the one that is leaves for others to see."""

from contextlib import closing
from pathlib import Path

from payments.duty import Duty, Report, SweepReport, read_report

SWEEP = SweepReport(1, 0.5, 3, 1, 1, 1, 0, "0.1")


def test_one_is_on_duty_until_it_ends(tmp_path: Path) -> None:
    journal = tmp_path / "audit" / "ledger-events.log"
    with closing(Duty(journal)) as first, closing(Duty(journal)) as second:
        assert [first.take(), second.take(), first.take(), second.take()] == [True, False, True, False]
    with closing(Duty(journal)) as third:
        assert third.take()


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    journal = tmp_path / "ledger-events.log"
    assert read_report(journal) is None
    with closing(Duty(journal)) as duty:
        for report in (Report(1, 2, 3, None), Report(4, 5, 6, SWEEP)):
            duty.report(report)
            assert read_report(journal) == report


def test_its_files_are_beside_the_journal_and_for_nobody_else(tmp_path: Path) -> None:
    journal = tmp_path / "audit" / "ledger-events.log"
    with closing(Duty(journal)) as duty:
        duty.take()
        duty.report(Report(1, 2, 3, SWEEP))
    modes = {path.name: path.stat().st_mode & 0o777 for path in journal.parent.iterdir()}
    assert modes == {"ledger-events.log.worker.lock": 0o600, "ledger-events.log.worker.json": 0o600}
