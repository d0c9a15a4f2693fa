"""``payments demo`` as a process: its story, its sums, and that nothing is left however it ends."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from payments.domain.ledger import Adjustment
from payments.domain.money import format_eth, parse_eth
from tests.audit import audit
from tests.cli.command import process, refused, run
from tests.harness import RealClock, end, file_store, journal_path, until

pytestmark = pytest.mark.long


class Demo:
    """A running demo, like a terminal's foreground job.

    Attributes:
        process: the command; ``said``: lines printed so far.
        group: process group of its parts, once ``pid`` was called.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        monkeypatch.setenv("TMPDIR", str(self.temporary))
        # Settings of another installation on the machine.
        monkeypatch.setenv("PAYMENTS_BIND", "no address at all")
        monkeypatch.setenv("PS_GATEWAY_UPSTREAM", "192.0.2.7:8888")
        self.said: list[str] = []
        self.group: int | None = None
        self.process = process(
            "demo", *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, cwd=folder
        )

    def tells(self, pattern: str) -> re.Match[str]:
        """Wait for the next line with ``pattern``; fails if none comes."""
        assert self.process.stdout is not None
        for line in iter(self.process.stdout.readline, b""):
            self.said.append(line.decode().rstrip("\n"))
            found = re.search(pattern, self.said[-1])
            if found is not None:
                return found
        raise AssertionError("\n".join([*self.said, *self.complaint().splitlines()]))

    def rest(self) -> list[str]:
        """Wait for its end; return everything printed."""
        assert self.process.stdout is not None
        self.said += self.process.stdout.read().decode().splitlines()
        self.process.wait(timeout=20)
        return self.said

    def complaint(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read().decode()

    def pid(self, part: str) -> int:
        """Process id of ``part``, from its output."""
        pid = int(self.tells(rf"starting the {part} \(process (\d+)\)")[1])
        self.group = os.getpgid(pid)
        return pid

    def processes(self) -> list[int]:
        """Its running parts, without zombies."""
        processes = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, _, group = stat.read_text().rpartition(")")[2].split()[:3]
            except OSError:
                continue
            if int(group) == self.group and state != "Z":
                processes.append(int(stat.parent.name))
        return processes

    def leaves_nothing(self) -> bool:
        """Whether no process of its group and no file is left."""
        assert self.group is not None
        return self.processes() == [] and list(self.temporary.iterdir()) == []


@contextmanager
def demo(folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Iterator[Demo]:
    running = Demo(folder, monkeypatch, *arguments)
    try:
        yield running
    finally:
        end(running.process)
        for pid in running.processes():
            os.kill(pid, signal.SIGKILL)
        for stream in (running.process.stdout, running.process.stderr):
            assert stream is not None
            stream.close()


def test_it_shows_sessions_power_and_balances_until_its_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with demo(tmp_path, monkeypatch, "--seconds", "6", "--viewers", "5") as shown:
        shown.pid("API")
        assert shown.group != os.getpgid(shown.process.pid)
        shown.tells("is sleeping: powered-on time earns nothing")
        shown.tells("what each orchestrator has earned:")
        said = "\n".join(shown.rest())
        assert (shown.process.returncode, shown.complaint()) == (0, "")
        assert shown.leaves_nothing()
    assert re.search(r"a viewer is connected to (lisbon|oslo|quito) \(127\.0\.0\.[234]\): session [0-9a-f]{8}\n", said)
    assert re.search(r"session \w{8} on \w+ \(streamer \w+Streamer\) has ended: \d+\.\d{3} s earned 0\.0\d+ ETH", said)
    session_ids = [re.findall(rf"session (\w{{8}}).*{what}", said) for what in ("", "has ended")]
    assert sorted(set(session_ids[0])) == sorted(session_ids[1])
    final = said.partition("has earned in the end:")[2]
    rows = [list(map(Decimal, each)) for each in re.findall(r"^orch-\w+.* (\S+) +(\S+) +(\S+) *$", final, re.MULTILINE)]
    assert [session + power for session, power, _ in rows] == [balance for _, _, balance in rows]
    assert any(power > 0 for _, power, _ in rows)
    owed = re.search(r"ledger verify: \d+ entries, \d+ sessions, (\S+) ETH owed.*no problems found", final)
    assert owed is not None
    assert sum(balance for _, _, balance in rows) == Decimal(owed[1]) > 0


def test_ctrl_c_ends_every_session_and_what_is_kept_can_be_audited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept"
    with demo(tmp_path, monkeypatch, "--json", "--keep", str(kept)) as shown:
        page = shown.tells('"page": "(http://.*?)"')[1]
        assert "You are a viewer" in requests.get(page, timeout=5).text
        shown.tells('"what": "ended"')
        # Like a terminal, signal the whole group of the foreground job.
        os.killpg(shown.process.pid, signal.SIGINT)
        told: list[dict[str, Any]] = [json.loads(line) for line in shown.rest()]
        assert (shown.process.returncode, shown.complaint()) == (0, "")
    ended = {each["session_id"]: each for each in told if each["what"] == "ended"}
    assert {each["session_id"] for each in told if each["what"] == "connected"} == ended.keys()
    entries, balances = audit(journal_path(kept / "data"))
    closed = {each["session"]["session_id"]: each["session"] for each in entries if "session" in each}
    assert {name: (each["status"], each["billed_ms"]) for name, each in closed.items()} == {
        name: ("ended", each["billed_ms"]) for name, each in ended.items()
    }
    (final,) = [each["balances"] for each in told if each["what"] == "final"]
    assert {each["orchestrator_id"]: Decimal(each["balance"]) for each in final} == balances
    assert told[-1]["what"] == "verified"
    assert Decimal(told[-1]["owed"]) == sum(balances.values())


def test_its_own_sum_is_held_against_the_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody books an adjustment at the end of the story, just before the ledger is verified."""
    kept = tmp_path / "kept"
    with demo(tmp_path, monkeypatch, "--json", "--seconds", "2", "--keep", str(kept)) as shown:
        shown.tells('"what": "ready"')
        with closing(file_store(kept / "data", clock=RealClock())) as store:
            shown.tells('"what": "final"')
            store.execute([Adjustment("orch-oslo", 1, "unheard of", "nobody tells of it")])
            told = [json.loads(line) for line in shown.rest()]
        complaint = shown.complaint()
    (final,) = [each["balances"] for each in told if each["what"] == "final"]
    owed_wei = sum(parse_eth(each["balance"]) for each in final)
    assert shown.process.returncode == 1
    assert complaint == (
        f"payments: PAY-M05 the entries that were told add up to {format_eth(owed_wei)} ETH, "
        f"and ledger verify finds {format_eth(owed_wei + 1)}\n"
    )


def test_sigterm_ends_it_before_it_has_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with demo(tmp_path, monkeypatch) as shown:
        shown.pid("gateway")
        shown.process.terminate()
        assert shown.rest()[-1].endswith("stopped before all processes were ready")
        assert (shown.process.returncode, shown.complaint()) == (0, "")
        assert shown.leaves_nothing()


def test_a_part_that_dies_is_named_with_the_end_of_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with demo(tmp_path, monkeypatch) as shown:
        worker = shown.pid("worker")
        shown.tells("is awake: powered-on time earns")
        os.kill(worker, signal.SIGKILL)
        said = "\n".join(shown.rest())
        assert shown.process.returncode == 1
        assert shown.leaves_nothing()
        complaint = shown.complaint()
    assert complaint.startswith(
        "payments: PAY-M02 the demo's worker has ended (killed by SIGKILL); the last of its log:\n    {"
    )
    assert '"logger": "worker.' in complaint
    assert "in the end" not in said


def test_kill_9_leaves_no_process_and_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with demo(tmp_path, monkeypatch) as shown:
        shown.pid("API")
        shown.tells("ready")
        assert len(shown.processes()) >= 5
        shown.process.kill()
        until(shown.leaves_nothing, timeout_s=20)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    assert "pip install --editable '.[edge]'" in refused("demo")


def test_a_folder_in_use_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "somebodys").touch()
    result = run("demo", "--keep", str(tmp_path))
    assert result.exit_code == 2
    assert "is not empty" in result.stderr
