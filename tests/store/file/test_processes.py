"""Several processes on the same files write one intact journal with everything that was answered."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from payments.domain.entries import Entry
from payments.domain.money import format_eth
from payments.domain.state import State, evolve
from payments.store.file import writer as writer_module
from payments.store.file.codec import decode
from tests.audit import Audit, audit
from tests.disk.scripted import HastyDisk
from tests.harness import ROOT, event, file_store, journal_lines, journal_path, state_of, until
from tests.store.accounts import check_meter
from tests.store.file.history import facts, lay, opened
from tests.store.file.store_process import METERED

COMMANDS = 200
NAMES = ("one", "two", "three")

Process: TypeAlias = subprocess.Popen[str]


@contextmanager
def running_processes(folder: Path) -> Iterator[list[Process]]:
    """A process for each of ``NAMES``, started together; always killed at the end."""
    with ExitStack() as ending:
        processes = []
        for name in NAMES:
            command = [sys.executable, "-m", "tests.store.file.store_process", str(folder), name, str(COMMANDS)]
            process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            processes.append(ending.enter_context(process))
            ending.callback(process.kill)
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        yield processes


def answers(process: Process) -> list[str]:
    """Events reported as recorded to ``process`` until it ended."""
    assert process.stdout is not None
    told = [line.split() for line in process.stdout.read().splitlines()]
    assert {outcome for _, outcome in told} <= {"recorded"}
    return [event_id for event_id, _ in told]


def check(folder: Path) -> Audit:
    """Check that the journal in ``folder`` is intact, and that a store agrees with the auditor."""
    found = audit(journal_path(folder))
    seq, sessions, balances, power = opened(folder)
    assert seq == len(found.entries)
    assert {name: Decimal(format_eth(each.balance_wei)) for name, each in balances.items()} == found.balances
    assert {session.session_id for session in sessions} == {each["session_id"] for each in about_sessions(found)}
    check_meter([decode(line)[0] for line in journal_lines(folder) if b'"power":[' in line])
    lay(folder, journal_path(folder).read_bytes())
    assert opened(folder) == (seq, sessions, balances, power)
    return found


def about_sessions(found: Audit) -> list[dict[str, Any]]:
    """The session of each entry that has one."""
    return [entry["session"] for entry in found.entries if "session" in entry]


def test_processes_share_one_journal(tmp_path: Path) -> None:
    with running_processes(tmp_path) as processes:
        acknowledged = [event_id for process in processes for event_id in answers(process)]
        assert [process.wait(30) for process in processes] == [0] * len(NAMES)
    found = check(tmp_path)
    recorded = [session["event_id"] for session in about_sessions(found)]
    assert sorted(recorded) == sorted(acknowledged)
    assert len(recorded) == len(NAMES) * COMMANDS
    readings = [entry["power"] for entry in found.entries if "power" in entry]
    assert readings[-1]["billed_ms"] <= readings[-1]["metered_to_ms"] - readings[0]["metered_from_ms"]
    assert found.balances[METERED] == readings[-1]["billed_ms"] * Decimal("1e-18") > 0


def test_a_process_that_is_killed_takes_nothing_acknowledged_with_it(tmp_path: Path) -> None:
    with running_processes(tmp_path) as processes:
        victim = processes[0]
        assert victim.stdout is not None
        heard = [victim.stdout.readline().split()[0] for _ in range(COMMANDS // 3)]
        victim.kill()
        acknowledged = [*heard, *(event_id for process in processes for event_id in answers(process))]
        assert [process.wait(30) for process in processes[1:]] == [0, 0]
    recorded = [session["event_id"] for session in about_sessions(check(tmp_path))]
    assert set(acknowledged) <= set(recorded)
    assert len(recorded) == len(set(recorded))
    assert len(recorded) <= len(acknowledged) + 1


def test_each_process_sees_what_another_has_acknowledged(tmp_path: Path) -> None:
    one, other = file_store(tmp_path, disk=HastyDisk()), file_store(tmp_path, disk=HastyDisk())
    for number in range(10):
        writer, reader = (one, other) if number % 2 else (other, one)
        writer.execute([event(f"s-{number}")])
        assert facts(reader) == facts(writer)
        assert list(state_of(reader).sessions) == [f"s-{each}" for each in range(number + 1)]
    one.close()
    other.close()


def test_a_view_waits_for_what_another_thread_is_still_taking_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line is read but not folded yet: a view must not miss what another process acknowledged."""
    reading, go_on = threading.Event(), threading.Event()

    def slowly(state: State, entry: Entry) -> None:
        reading.set()
        assert go_on.wait(30)
        evolve(state, entry)

    writer, reader = file_store(tmp_path, disk=HastyDisk()), file_store(tmp_path, disk=HastyDisk())
    writer.execute([event("s-1")])
    monkeypatch.setattr(writer_module, "evolve", slowly)
    with ThreadPoolExecutor(2) as threads:
        taking_over = threads.submit(state_of, reader)
        assert reading.wait(30)
        view = threads.submit(lambda: state_of(reader).seq)
        wait([view], timeout=0.1)
        go_on.set()
        assert view.result(30) == 1
        assert list(taking_over.result(30).sessions) == ["s-1"]
    writer.close()
    reader.close()


def test_a_process_that_is_asked_nothing_keeps_up_with_the_others(tmp_path: Path) -> None:
    """Otherwise its next request would read a night's entries at once, while all wait for the lock."""
    one, idle = file_store(tmp_path, disk=HastyDisk()), file_store(tmp_path, disk=HastyDisk())
    for number in range(3):
        one.execute([event(f"s-{number}")])
        until(lambda: idle._journal.state.seq == one._journal.state.seq)
    one.close()
    idle.close()


def test_a_process_that_starts_later_begins_where_the_others_are(tmp_path: Path) -> None:
    one = file_store(tmp_path, disk=HastyDisk())
    for number in range(5):
        one.execute([event(f"s-{number}")])
        newcomer = file_store(tmp_path, disk=HastyDisk())
        assert facts(newcomer) == facts(one)
        newcomer.close()
    one.close()
