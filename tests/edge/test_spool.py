"""When events may be sent, what the next run finds, and how much space it takes."""

from pathlib import Path

import pytest

from payments.domain.sessions import END, HEARTBEAT, START
from payments.edge.events import DeadLetter
from payments.edge.spool import Spool
from payments.errors import Misconfigured
from tests.edge.conftest import EdgeLog
from tests.edge.edge import ROOM, EdgeLife, edge
from tests.edge.spools import AWAY, batch, deliver_all, die
from tests.edge.stand_in import StandIn
from tests.harness import NOON_MS, Clock


def test_nothing_may_be_sent_before_it_is_synced(tmp_path: Path) -> None:
    with edge(tmp_path / "spool", AWAY) as life:
        session = life.begin()
        life.spool.add(life.inbox)
        assert batch(life) == []
        life.spool.sync()
        assert batch(life) == [(session.session_id, START, 0)]


def test_what_a_crash_leaves_is_sent_and_sessions_without_an_end_end_where_they_were_last_heard_of(
    tmp_path: Path, said: EdgeLog
) -> None:
    clock = Clock()
    dead = EdgeLife(tmp_path / "spool", AWAY, clock)
    dead.spool.open()
    first, second = dead.begin(), dead.begin()
    dead.pass_s(30)
    beats = {each.session_id: each.occurred_ms for each in dead.spool.batch(1000)}
    second.end()
    dead.write()
    clock.now_ms += 3_600_000
    die(dead)
    with edge(tmp_path / "spool", AWAY, clock) as life:
        life.write()
        found = batch(life)
        assert [kind for name, kind, _ in found if name == first.session_id] == [START, *[HEARTBEAT] * 2, END]
        assert [kind for name, kind, _ in found if name == second.session_id] == [START, *[HEARTBEAT] * 2, END]
        assert found[-1] == (first.session_id, END, beats[first.session_id] - NOON_MS)
        assert (second.session_id, END, 30_000) in found
    assert said.lines == [
        (
            "WARNING",
            f"{tmp_path / 'spool'}: the last run left 7 events to deliver and 1 open sessions, ended at their "
            "last event",
        )
    ]


def test_sessions_of_which_all_is_delivered_end_after_a_crash_too_and_nothing_else_is_sent_again(
    tmp_path: Path,
) -> None:
    clock = Clock()
    dead = EdgeLife(tmp_path / "spool", AWAY, clock)
    dead.spool.open()
    session = dead.begin()
    dead.pass_s(15)
    assert len(dead.spool.batch(1000)) == 2
    deliver_all(dead.spool)
    dead.write()
    die(dead)
    with edge(tmp_path / "spool", AWAY, clock) as life:
        life.write()
        ((name, kind, at_ms),) = batch(life)
        assert (name, kind) == (session.session_id, END)
        assert 0 < at_ms <= 15_000
    with edge(tmp_path / "spool", AWAY, clock) as life:
        assert batch(life) == [(name, kind, at_ms)]


def test_an_end_after_a_crash_says_all_that_the_session_said_and_has_the_next_seq(
    tmp_path: Path, stand_in: StandIn
) -> None:
    dead = EdgeLife(tmp_path / "spool", stand_in.url, stand_in.clock)
    dead.spool.open()
    session = dead.begin(streamer_id="stück-1")
    dead.pass_s(15)
    die(dead)
    with edge(tmp_path / "spool", stand_in.url, stand_in.clock) as life:
        life.write()
        life.deliver()
    events = [each.event for each in stand_in.of(session.session_id)]
    assert [each["seq"] for each in events] == [1, 2, 3]
    assert len({each["event_id"] for each in events}) == 3
    last, beat = events[-1], events[-2]
    assert {**last, "event_id": "", "seq": 0, "event": ""} == {**beat, "event_id": "", "seq": 0, "event": ""}
    assert beat["streamer_id"] == "stück-1"


def test_a_second_reporter_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    with edge(tmp_path / "spool", AWAY):
        second = Spool(tmp_path / "spool", ROOM)
        with pytest.raises(
            Misconfigured, match=r"^PAY-E10 PAYMENTS_SPOOL_DIR: .*spool is in use by another reporter; give each"
        ):
            second.open()
    second.open()
    second.close()


def test_the_folder_and_its_files_are_for_their_owner_only(tmp_path: Path, open_umask: None) -> None:
    with edge(tmp_path / "spool", AWAY) as life:
        life.begin()
        life.write()
        assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for path in (tmp_path / "spool").iterdir()} == {0o600}


def size_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def test_it_stays_small_while_all_is_delivered_and_is_small_again_after_an_absence(tmp_path: Path) -> None:
    """However many heartbeats a session has, only the last must be kept."""
    max_bytes = 0
    with edge(tmp_path / "spool", AWAY) as life:
        life.begin()
        for _ in range(500):
            life.clock.now_ms += 15_000
            life.write()
            deliver_all(life.spool)
            max_bytes = max(max_bytes, size_bytes(tmp_path / "spool"))
        assert max_bytes < 1 << 17
        life.pass_s(15_000, step_s=15)
        assert life.spool.size_bytes == size_bytes(tmp_path / "spool") > 1 << 17
        deliver_all(life.spool)
        life.write()
    assert size_bytes(tmp_path / "spool") < 1 << 15


def test_a_long_absence_of_payments_stays_below_the_bound_and_loses_no_start_and_no_end(
    tmp_path: Path, said: EdgeLog
) -> None:
    sizes = []
    with edge(tmp_path / "spool", AWAY) as life:
        sessions = [life.begin() for _ in range(100)]
        for minute in range(60):
            life.pass_s(60, step_s=5)
            if minute % 20 == 10:
                sessions.pop(0).end()
                sessions.append(life.begin())
            sizes.append(size_bytes(tmp_path / "spool"))
        assert life.spool.dropped > 10_000
        events = life.spool.batch(100_000)
        assert len(events) == life.spool.pending
        assert sum(event.size_bytes for event in events) < ROOM / 2
    kinds = [event.kind for event in events]
    assert (kinds.count(START), kinds.count(END)) == (103, 3)
    assert ROOM / 4 < max(sizes) <= ROOM
    newest_ms = {event.session_id: event.occurred_ms - NOON_MS for event in events if event.kind == HEARTBEAT}
    assert all(newest_ms[each.session_id] > 3_600_000 - 20_000 for each in sessions)
    assert [line for line in said.lines if "PAYMENTS_SPOOL_BYTES is reached" in line[1]]


def test_starts_and_ends_beyond_the_bound_are_kept_all_the_same(tmp_path: Path, said: EdgeLog) -> None:
    with edge(tmp_path / "spool", AWAY, max_bytes=1 << 16) as life:
        for _ in range(200):
            life.begin().end()
            life.write()
        assert life.spool.pending == 400
        assert life.spool.dropped == 0
    with edge(tmp_path / "spool", AWAY, max_bytes=1 << 16) as life:
        assert len(batch(life)) == 400
    (line,) = [line for line in said.lines if "events that must be kept" in line[1]][:1]
    assert line[0] == "ERROR"


def refuse(life: EdgeLife, reason: str) -> None:
    """Reject the next event."""
    events = life.spool.batch(1000)
    life.spool.settle(events, events, [DeadLetter(event, reason) for event in events])
    life.write()


def test_dead_letters_outlive_the_process_and_are_sent_again_when_told(tmp_path: Path) -> None:
    with edge(tmp_path / "spool", AWAY) as life:
        session, other = life.begin(), life.begin()
        session.end()
        life.write()
        refuse(life, "422: no")
        assert (life.spool.dead_letters, life.spool.delivered) == (3, 0)
        die(life)
    with edge(tmp_path / "spool", AWAY) as life:
        life.write()
        assert batch(life) == [(other.session_id, END, 0)]
        letters, pending = life.spool.contents()
        said = [(each.number, each.reason, each.rejected_ms, each.event.kind) for each in letters]
        assert said == [(number, "422: no", NOON_MS, kind) for number, kind in ((1, START), (2, START), (3, END))]
        assert [each.kind for each in pending] == [END]
        assert life.spool.resend([1]) == 1
        die(life)
    with edge(tmp_path / "spool", AWAY) as life:
        found = batch(life)
        assert found[:2] == [(other.session_id, END, 0), (session.session_id, START, 0)]
        refuse(life, "422: again no")
        assert [(each.number, each.reason) for each in life.spool.contents()[0]][:2] == [(2, "422: no"), (3, "422: no")]
        assert life.spool.resend() == 2 + len(found)


def test_an_old_event_that_is_sent_again_does_not_stand_for_its_session(tmp_path: Path) -> None:
    with edge(tmp_path / "spool", AWAY) as life:
        session = life.begin()
        life.write()
        refuse(life, "422: no")
        life.pass_s(60)
        deliver_all(life.spool)
        assert life.spool.resend() == 1
        assert batch(life) == [(session.session_id, START, 0)]
        deliver_all(life.spool)
        life.write()
        die(life)
    with edge(tmp_path / "spool", AWAY) as life:
        life.write()
        ((name, kind, at_ms),) = batch(life)
        assert (name, kind, at_ms > 40_000) == (session.session_id, END, True)


def test_of_dead_letters_the_newest_are_kept(tmp_path: Path) -> None:
    with edge(tmp_path / "spool", AWAY) as life:
        for number in range(100):
            life.begin()
            life.write()
            refuse(life, f"422: no {number}")
        letters, _ = life.spool.contents()
    assert [each.reason for each in letters] == [f"422: no {number}" for number in range(68, 100)]
