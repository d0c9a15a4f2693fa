"""The reporter with its threads: when events are sent, what a close does, and that callers never wait."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from payments.domain.sessions import END, HEARTBEAT, START
from payments.edge.database import Database
from payments.edge.reporter import Reporter, Status
from payments.errors import Misconfigured
from tests.edge.conftest import EdgeLog
from tests.edge.edge import edge, edge_settings
from tests.edge.spools import AWAY, batch
from tests.edge.stand_in import CUT, Handler, ReceivedCall, StandIn, StandInReply, refusal, standing_in
from tests.harness import HOST_A, RealClock, state_of, until


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    """A stand-in with the system's clock, like the reporter."""
    with standing_in(RealClock()) as running:
        yield running


@contextmanager
def reporting(folder: Path, url: str, **changed: Any) -> Iterator[Reporter]:
    """A started reporter; its heartbeats are rare unless a test is about them."""
    reporter = Reporter(edge_settings(url, folder / "spool", **{"heartbeat_s": 3600, **changed}))
    reporter.start()
    try:
        yield reporter
    finally:
        reporter.close(0.2)


def kinds(stand_in: StandIn, session_id: str) -> list[str]:
    return stand_in.kinds(session_id)


def test_starts_and_ends_leave_within_a_fraction_of_a_second(tmp_path: Path, stand_in: StandIn) -> None:
    with reporting(tmp_path, stand_in.url) as reporter:
        for _ in range(3):
            begun_s = time.monotonic()
            session = reporter.open(HOST_A, 8888)
            until(lambda: kinds(stand_in, session.session_id) == [START])  # noqa: B023
            session.end()
            until(lambda: kinds(stand_in, session.session_id) == [START, END])  # noqa: B023
            # Two batches, 200 ms apart, on a shared machine.
            assert time.monotonic() - begun_s < 2


def test_viewers_who_come_together_share_a_batch(tmp_path: Path, stand_in: StandIn) -> None:
    with reporting(tmp_path, stand_in.url) as reporter:
        sessions = [reporter.open(HOST_A, 8888) for _ in range(300)]
        until(lambda: reporter.status().delivered >= 300)
        assert len(stand_in.calls) <= 3
        for session in sessions:
            session.end()
        assert reporter.close(10)
    assert len(stand_in.calls) <= 6
    assert all(kinds(stand_in, each.session_id)[-1] == END for each in sessions)


def test_heartbeats_come_by_themselves_and_in_batches(tmp_path: Path, stand_in: StandIn) -> None:
    """Every half second, so that a kill costs at most the second that is set."""
    with reporting(tmp_path, stand_in.url, heartbeat_s=1) as reporter:
        sessions = [reporter.open(HOST_A, 8888) for _ in range(50)]
        time.sleep(2.2)
        for session in sessions:
            session.end()
        assert reporter.close(10)
    for session in sessions:
        said = kinds(stand_in, session.session_id)
        assert (said[0], said[-1], set(said[1:-1])) == (START, END, {HEARTBEAT})
        assert 3 <= said.count(HEARTBEAT) <= 5
    assert len(stand_in.calls) <= 11


def test_what_payments_credits_is_the_time_between_open_and_end(tmp_path: Path, stand_in: StandIn) -> None:
    with reporting(tmp_path, stand_in.url, heartbeat_s=1) as reporter:
        begun_s = time.monotonic()
        session = reporter.open(HOST_A, 8888)
        time.sleep(1.3)
        session.end()
        true_ms = (time.monotonic() - begun_s) * 1000
        assert reporter.close(10)
    assert abs(state_of(stand_in.store).sessions[session.session_id].billed_ms - true_ms) < 50


def test_a_caller_waits_for_nothing_while_the_network_hangs_and_the_disk_too(
    tmp_path: Path, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    def hang(call: ReceivedCall, handler: Handler) -> StandInReply:
        released.wait(30)
        return StandInReply(CUT)

    monkeypatch.setattr(Database, "save", lambda *_, **__: released.wait(30))
    stand_in.always = hang
    reporter = Reporter(edge_settings(stand_in.url, tmp_path / "spool"))
    starting = threading.Thread(target=reporter.start)
    starting.start()
    try:
        time.sleep(0.1)
        begun_s = time.monotonic()
        for _ in range(500):
            reporter.open(HOST_A, 8888).end()
            reporter.status()
        assert time.monotonic() - begun_s < 1
    finally:
        released.set()
        stand_in.always = None
        starting.join()
    until(lambda: reporter.status().delivered == 1000)
    assert reporter.close(10)


def test_close_gives_up_in_time_and_leaves_the_rest_to_the_next_start(tmp_path: Path, stand_in: StandIn) -> None:
    stand_in.always = refusal(503, "unavailable", Retry_After="120")
    with reporting(tmp_path, stand_in.url) as reporter:
        session = reporter.open(HOST_A, 8888)
        until(lambda: len(stand_in.calls) > 0)
        session.end()
        begun_s = time.monotonic()
        assert not reporter.close(1.5)
        assert 1 < time.monotonic() - begun_s < 3
        assert len(stand_in.calls) > 1
    stand_in.always = None
    with reporting(tmp_path, stand_in.url) as reporter:
        assert reporter.close(10)
    assert kinds(stand_in, session.session_id) == [START, END]


def test_close_gives_up_in_time_where_payments_hangs(tmp_path: Path, stand_in: StandIn) -> None:
    released = threading.Event()

    def hang(call: ReceivedCall, handler: Handler) -> StandInReply:
        released.wait(30)
        return StandInReply(CUT)

    stand_in.always = hang
    with reporting(tmp_path, stand_in.url) as reporter:
        reporter.open(HOST_A, 8888)
        until(lambda: len(stand_in.calls) > 0)
        begun_s = time.monotonic()
        try:
            assert not reporter.close(0.5)
            assert time.monotonic() - begun_s < 2
        finally:
            released.set()


def test_close_ends_no_session_but_the_next_start_does(tmp_path: Path, stand_in: StandIn) -> None:
    with reporting(tmp_path, stand_in.url) as reporter:
        session = reporter.open(HOST_A, 8888)
        assert reporter.close(10)
        assert kinds(stand_in, session.session_id) == [START]
    with reporting(tmp_path, stand_in.url) as reporter:
        until(lambda: kinds(stand_in, session.session_id) == [START, END])


def test_event_after_the_close_is_logged_and_harmless(tmp_path: Path, stand_in: StandIn, said: EdgeLog) -> None:
    with reporting(tmp_path, stand_in.url) as reporter:
        session = reporter.open(HOST_A, 8888)
        assert reporter.close(10)
        session.end()
        reporter.open(HOST_A, 8888).end()
        assert reporter.status().pending == 0
    assert [line for line in said.lines if line[0] == "ERROR"] == [
        ("ERROR", "the reporter is closed: an event of a session came too late, and is not reported")
    ]


def test_a_second_reporter_on_the_same_folder_is_refused(tmp_path: Path, stand_in: StandIn) -> None:
    with reporting(tmp_path, stand_in.url) as first:
        with pytest.raises(Misconfigured, match=r"PAYMENTS_SPOOL_DIR: .* is in use by another reporter"):
            Reporter(edge_settings(stand_in.url, tmp_path / "spool")).start()
        first.open(HOST_A, 8888).end()
        assert first.close(10)


def test_status_counts(tmp_path: Path, stand_in: StandIn) -> None:
    stand_in.always = refusal(401, "unauthenticated")
    with reporting(tmp_path, stand_in.url) as reporter:
        assert reporter.status() == Status(0, 0, 0, 0, 0, 0, None, None, None)
        sessions = [reporter.open(HOST_A, 8888) for _ in range(3)]
        sessions[0].end()
        until(lambda: reporter.status().last_error is not None)
        until(lambda: reporter.status().spool_bytes > 0)
        status = reporter.status()
        assert (status.open, status.pending, status.delivered) == (2, 4, 0)
        assert status.last_error == f"{stand_in.url}: answers 401 (said by this test)"
        stand_in.refused.add(sessions[1].session_id)
        stand_in.always = None
        until(lambda: reporter.status().pending == 0)
        assert reporter.status()[:5] == (2, 0, 3, 1, 0)
        until(lambda: reporter.status().last_error is None)
        delivered_ms = reporter.status().last_delivered_ms
        assert delivered_ms is not None
        assert 0 <= stand_in.clock() - delivered_ms < 10_000


def test_events_that_came_before_the_start_are_delivered(tmp_path: Path, stand_in: StandIn) -> None:
    reporter = Reporter(edge_settings(stand_in.url, tmp_path / "spool"))
    session = reporter.open(HOST_A, 8888)
    reporter.start()
    session.end()
    assert reporter.close(10)
    assert kinds(stand_in, session.session_id) == [START, END]


def test_a_reporter_that_was_never_started_can_be_closed(tmp_path: Path) -> None:
    reporter = Reporter(edge_settings(AWAY, tmp_path / "spool"))
    assert reporter.close(1)
    assert not (tmp_path / "spool").exists()


def test_many_threads_may_report_at_once(tmp_path: Path, stand_in: StandIn) -> None:
    ids: list[str] = []

    def view() -> None:
        for _ in range(50):
            session = reporter.open(HOST_A, 8888)
            ids.append(session.session_id)
            session.set_streamer("streamer-1")
            session.end()

    with reporting(tmp_path, stand_in.url) as reporter:
        threads = [threading.Thread(target=view) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert reporter.close(20)
    assert len(ids) == 400
    assert all(kinds(stand_in, each) == [START, END] for each in ids)


def test_a_defect_in_one_turn_is_logged_and_does_not_end_the_reporting(
    tmp_path: Path, stand_in: StandIn, said: EdgeLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    armed = threading.Event()

    save = Database.save

    def fail_once(*arguments: Any, **options: Any) -> None:
        if armed.is_set():
            armed.clear()
            raise ZeroDivisionError
        save(*arguments, **options)

    monkeypatch.setattr(Database, "save", fail_once)
    reporter = Reporter(edge_settings(stand_in.url, tmp_path / "spool"))
    reporter.start()
    armed.set()
    session = reporter.open(HOST_A, 8888)
    until(lambda: not armed.is_set())
    session.end()
    until(lambda: kinds(stand_in, session.session_id) == [START, END])
    assert reporter.close(10)
    assert ("ERROR", "a defect in the reporter") in said.lines


@pytest.mark.parametrize("after", [lambda reporter: None, lambda reporter: reporter.close(0)], ids=["lost", "closed"])
def test_sessions_open_without_a_close_are_in_the_spool(tmp_path: Path, after: Callable[[Reporter], object]) -> None:
    with reporting(tmp_path, AWAY) as reporter:
        session = reporter.open(HOST_A, 8888)
        until(lambda: reporter.status().spool_bytes > 0)
        after(reporter)
    with edge(tmp_path / "spool", AWAY) as life:
        life.write()
        assert [(name, kind) for name, kind, _ in batch(life)] == [
            (session.session_id, START),
            (session.session_id, END),
        ]
