"""What is on disk when, what a new life finds of the old one, and how much room that takes."""

from pathlib import Path

import pytest

from payments.domain.sessions import END, HEARTBEAT, START
from payments.edge.spool import Spool
from payments.errors import Misconfigured
from tests.disk.scripted import HastyDisk, ScriptedDisk
from tests.edge.conftest import Said
from tests.edge.edge import ROOM, Edge, edge
from tests.edge.spools import AWAY, batch, deliver_all, die, files
from tests.edge.stand_in import StandIn
from tests.harness import NOON_MS, Clock, state_of


def test_nothing_may_be_sent_before_it_is_synced(tmp_path: Path) -> None:
    with edge(tmp_path / "spool", AWAY) as life:
        session = life.begin()
        assert batch(life) == []
        life.spool.add(life.inbox)
        assert batch(life) == []
        life.spool.sync()
        assert batch(life) == [(session.session_id, START, 0)]


def test_an_event_is_written_and_then_synced_and_a_new_file_has_its_name_synced(tmp_path: Path) -> None:
    disk = ScriptedDisk()
    with edge(tmp_path / "spool", AWAY, disk=disk) as life:
        life.begin()
        disk.log.clear()
        life.write()
        name = "events-00000000000000000001.jsonl"
        assert disk.log == [("open", name), ("sync_folder", "spool"), ("write", name), ("sync", name)]


def test_what_a_crash_leaves_is_sent_and_sessions_without_an_end_end_where_they_were_last_heard_of(
    tmp_path: Path, said: Said
) -> None:
    clock = Clock()
    dead = Edge(tmp_path / "spool", AWAY, clock)
    dead.spool.open()
    first, second = dead.begin(), dead.begin()
    dead.pass_s(30)
    beats = {each.session_id: each.occurred_ms for each in dead.spool.batch(1000, ROOM)}
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
            f"{tmp_path / 'spool'}: the last run has left 7 events to deliver and 1 sessions open, which end where "
            "they were last heard of",
        )
    ]


def test_sessions_of_which_all_is_delivered_end_after_a_crash_too(tmp_path: Path) -> None:
    clock = Clock()
    dead = Edge(tmp_path / "spool", AWAY, clock)
    dead.spool.open()
    session = dead.begin()
    dead.pass_s(15)
    assert len(dead.spool.batch(1000, ROOM)) == 2
    deliver_all(dead)
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
    dead = Edge(tmp_path / "spool", stand_in.url, stand_in.clock)
    dead.spool.open()
    session = dead.begin(streamer_id="streamer-1")
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
    assert beat["streamer_id"] == "streamer-1"


def test_what_was_delivered_is_not_sent_by_the_next_life(tmp_path: Path) -> None:
    with edge(tmp_path / "spool", AWAY) as life:
        session = life.begin()
        life.write()
        deliver_all(life)
        session.end()
        life.write()
    with edge(tmp_path / "spool", AWAY) as life:
        assert batch(life) == [(session.session_id, END, 0)]


def test_a_cursor_that_a_crash_has_taken_has_everything_sent_again(tmp_path: Path) -> None:
    with edge(tmp_path / "spool", AWAY) as life:
        session = life.begin()
        life.write()
        deliver_all(life)
    (tmp_path / "spool" / "cursor").write_bytes(b'{"settled":1,"crc":"00000000"}\n{"sett')
    with edge(tmp_path / "spool", AWAY) as life:
        life.write()
        assert batch(life) == [(session.session_id, START, 0), (session.session_id, END, 0)]


def test_a_spool_that_is_delivered_leaves_no_events_behind(tmp_path: Path) -> None:
    with edge(tmp_path / "spool", AWAY) as life:
        life.begin().end()
        life.write()
        deliver_all(life)
    assert files(tmp_path / "spool") == ["cursor", "lock"]


def test_positions_go_on_where_the_last_life_stopped(tmp_path: Path) -> None:
    for _ in range(2):
        with edge(tmp_path / "spool", AWAY) as life:
            life.begin().end()
            life.write()
            assert len(batch(life)) == 2
            deliver_all(life)
    with edge(tmp_path / "spool", AWAY) as life:
        life.begin()
        life.write()
    assert files(tmp_path / "spool") == ["cursor", "events-00000000000000000005.jsonl", "lock"]


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0], ids=["first byte", "part of it", "all but the newline"])
def test_a_torn_last_line_is_set_aside_with_the_rest_intact(tmp_path: Path, share: float, said: Said) -> None:
    with edge(tmp_path / "spool", AWAY) as life:
        first, second = life.begin(), life.begin()
        life.write()
        assert len(batch(life)) == 2
    (path,) = (tmp_path / "spool").glob("events-*")
    whole, torn = path.read_bytes().splitlines(keepends=True)
    torn = torn[: max(1, round(share * (len(torn) - 1)))]
    path.write_bytes(whole + torn)
    with edge(tmp_path / "spool", AWAY) as life:
        life.write()
        assert batch(life) == [(first.session_id, START, 0), (first.session_id, END, 0)]
    assert any("1 lines are no events, perhaps torn by a crash; they are in" in line for _, line in said.lines)
    rejects = (tmp_path / "spool" / "rejects.jsonl").read_text()
    assert rejects.count("\n") == 1
    assert "it breaks off" in rejects
    assert second.session_id not in path.read_text()
    with edge(tmp_path / "spool", AWAY) as life:
        assert len(batch(life)) == 2
    assert (tmp_path / "spool" / "rejects.jsonl").read_text() == rejects


def test_a_damaged_line_in_the_middle_costs_that_line_only(tmp_path: Path) -> None:
    with edge(tmp_path / "spool", AWAY) as life:
        sessions = [life.begin() for _ in range(3)]
        life.write()
    (path,) = (tmp_path / "spool").glob("events-*")
    path.write_bytes(path.read_bytes().replace(sessions[1].session_id[:8].encode(), b"deadbeef"))
    with edge(tmp_path / "spool", AWAY) as life:
        life.write()
        assert {name for name, _, _ in batch(life)} == {sessions[0].session_id, sessions[2].session_id}


def test_a_second_reporter_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    with edge(tmp_path / "spool", AWAY):
        second = Spool(tmp_path / "spool", ROOM)
        with pytest.raises(
            Misconfigured, match=r"^PAYMENTS_SPOOL_DIR: .*spool is in use by another reporter; give each"
        ):
            second.open()
    second.open()
    second.close()


def test_files_that_are_no_segments_are_let_be_and_half_made_ones_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    for name in ("notes.txt", "events-1.jsonl", "events-00000000000000000007.jsonl.new", "cursor.new"):
        (folder / name).write_text("x")
    with edge(folder, AWAY) as life:
        assert batch(life) == []
    assert files(folder) == ["cursor", "events-1.jsonl", "lock", "notes.txt"]


def test_the_folder_and_its_files_are_for_their_owner_only(tmp_path: Path, open_umask: None) -> None:
    with edge(tmp_path / "spool", AWAY) as life:
        life.begin()
        life.write()
        assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for path in (tmp_path / "spool").iterdir()} == {0o600}


def test_files_stay_few_and_small_while_all_is_delivered(tmp_path: Path) -> None:
    """Heartbeats of one session, as long as it likes: the last one is all that must be kept."""
    most = 0
    with edge(tmp_path / "spool", AWAY, most_bytes=1 << 16) as life:
        life.begin()
        for _ in range(1000):
            life.clock.now_ms += 15_000
            life.write()
            deliver_all(life)
            most = max(most, sum(path.stat().st_size for path in (tmp_path / "spool").glob("events-*")))
        assert life.spool.thinned == 0
    assert most < 1 << 14


def test_a_long_absence_of_payments_stays_below_the_bound_and_loses_no_start_and_no_end(
    tmp_path: Path, said: Said
) -> None:
    folder, most_bytes = tmp_path / "spool", 1 << 17
    sizes = []

    class Measuring(HastyDisk):
        """Measures whenever there may be two of a file."""

        def replace(self, source: Path, target: Path) -> None:
            sizes.append(sum(path.stat().st_size for path in folder.glob("events-*")))
            super().replace(source, target)

    with edge(folder, AWAY, disk=Measuring(), most_bytes=most_bytes) as life:
        sessions = [life.begin() for _ in range(10)]
        for minute in range(120):
            life.pass_s(60, step_s=5)
            if minute % 20 == 10:
                sessions.pop(0).end()
                sessions.append(life.begin())
            sizes.append(sum(path.stat().st_size for path in folder.glob("events-*")))
        assert life.spool.thinned > 1000
        found = batch(life)
        assert len(found) == life.spool.pending
        assert life.spool.size_bytes <= most_bytes
    kinds = [kind for _, kind, _ in found]
    assert (kinds.count(START), kinds.count(END)) == (16, 6)
    assert most_bytes // 2 < max(sizes) <= most_bytes
    newest = {name: at_ms for name, kind, at_ms in found if kind == HEARTBEAT}
    assert all(newest[each.session_id] > 7_200_000 - 20_000 for each in sessions)
    assert [line for line in said.lines if "PAYMENTS_SPOOL_BYTES is reached" in line[1]]


def test_starts_and_ends_beyond_the_bound_are_kept_all_the_same(tmp_path: Path, said: Said) -> None:
    with edge(tmp_path / "spool", AWAY, most_bytes=1 << 16) as life:
        for _ in range(200):
            life.begin().end()
            life.write()
        assert life.spool.pending == 400
        assert life.spool.thinned == 0
    with edge(tmp_path / "spool", AWAY, most_bytes=1 << 16) as life:
        assert len(batch(life)) == 400
    (line,) = [line for line in said.lines if "what must not be left out" in line[1]][:1]
    assert line[0] == "ERROR"


def test_what_was_thinned_and_is_still_in_a_file_does_no_harm_after_a_crash(tmp_path: Path, stand_in: StandIn) -> None:
    dead = Edge(tmp_path / "spool", stand_in.url, stand_in.clock, most_bytes=1 << 16)
    dead.spool.open()
    session = dead.begin()
    dead.pass_s(3600, step_s=5)
    assert dead.spool.thinned
    session.end()
    dead.write()
    die(dead)
    with edge(tmp_path / "spool", stand_in.url, stand_in.clock, most_bytes=1 << 16) as life:
        life.write()
        life.deliver()
    kinds = stand_in.kinds(session.session_id)
    assert (kinds[0], kinds[-1], set(kinds[1:-1])) == (START, END, {HEARTBEAT})
    assert state_of(stand_in.store).sessions[session.session_id].billed_ms == 3_600_000


def test_files_are_taken_away_from_the_front_only(tmp_path: Path) -> None:
    """An end that is gone before its start would make the session look open."""
    folder = tmp_path / "spool"
    with edge(folder, AWAY, most_bytes=1 << 16) as life:
        idle = life.begin()
        sessions = [life.begin() for _ in range(60)]
        life.write()
        for session in sessions:
            session.end()
            life.write()
        deliver_all(life)
        assert len(files(folder)) > 5
    with edge(folder, AWAY, most_bytes=1 << 16) as life:
        life.write()
        assert batch(life) == [(idle.session_id, END, 0)]
        deliver_all(life)
        assert len(files(folder)) == 3
