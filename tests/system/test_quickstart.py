"""``sh deploy/quickstart.sh`` as a new user runs it: from nothing to a credit, then stopped and run again."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from io import StringIO
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import ANY

import pytest
import requests
from dotenv import dotenv_values

from tests.audit import audit
from tests.harness import ROOT, Answering, answering, free_port, journal_path, until

pytestmark = pytest.mark.long

READY = "Stop with Ctrl-C."


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tracked files, without ``.venv``, ``.env`` and ``data``."""
    folder = tmp_path_factory.mktemp("quickstart") / "checkout"
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for name in tracked:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    return folder


@contextmanager
def awake_host() -> Iterator[int]:
    """An awake game host on 127.0.0.1, for ``/readyz`` too; the port of its ``/power``."""
    with answering(_Awake) as url:
        yield int(url.rpartition(":")[2])


class _Awake(Answering):
    def do_GET(self) -> None:  # noqa: N802
        assert self.path in ("/power", "/readyz")
        self.answer(200, {"state": "awake"})


@contextmanager
def quickstart(checkout: Path, port: int, **settings: str) -> Iterator[str]:
    """A running quickstart; yields its output until it was ready. It must stop when told to.

    ``settings`` are given without ``PAYMENTS_``.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PAYMENTS_")}
    output = checkout.parent / f"output-{time.monotonic_ns()}"
    with output.open("wb") as file:
        process = subprocess.Popen(
            ["sh", "deploy/quickstart.sh"],
            cwd=checkout,
            env={
                **clean,
                "HOME": str(checkout.parent),
                "PAYMENTS_BIND": f"127.0.0.1:{port}",
                **{f"PAYMENTS_{name}": value for name, value in settings.items()},
            },
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline_s = time.monotonic() + 240
        while READY not in (said := output.read_text()):
            assert process.poll() is None, said
            assert time.monotonic() < deadline_s, said
            time.sleep(0.1)
        yield said
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{port}/healthz", timeout=5)


def pasted(said: str, *changes: tuple[str, str]) -> list[Any]:
    """Answers to the ``curl`` commands in ``said``, run by a shell with ``changes``."""
    commands = re.findall(r"^  curl (?:.*\\\n)*.*$", said, re.MULTILINE)
    answers = []
    for command in commands:
        for old, new in changes:
            command = command.replace(old, new)  # noqa: PLW2901
        run = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
        answers.append(json.loads(run.stdout))
    return answers


def test_a_new_user_sees_a_credit(checkout: Path) -> None:
    port = free_port()
    with quickstart(checkout, port) as said:
        assert f"http://127.0.0.1:{port}" in said
        for kind in ("start", "heartbeat", "end"):
            session, listed, owed, power = pasted(said, ('"event":"start"', f'"event":"{kind}"'))
            time.sleep(0.2)
        assert session["outcome"] == "recorded"
        assert power == {"power": []}
        assert session["billed_ms"] > 200
        assert [each["session_id"] for each in listed["sessions"]] == ["test-1"]
        assert [each["orchestrator_id"] for each in owed["balances"]] == ["orch-example"]
        assert owed["balances"][0]["balance"] == session["billed_eth"]
        shown = json.loads((checkout / "data" / "sessions.json").read_bytes())
        assert [each["billed_eth"] for each in shown["sessions"]] == [session["billed_eth"]]
    credits_ms = [each["metadata"]["delta_ms"] for each in audit(journal_path(checkout / "data")).entries]
    assert sum(credits_ms) == session["billed_ms"]

    env = (checkout / ".env").read_text()
    with quickstart(checkout, port) as said:
        assert pasted(said)[2] == owed
    assert (checkout / ".env").read_text() == env
    assert (checkout / ".env").stat().st_mode & 0o077 == 0


def prepare(folder: Path, **settings: str) -> str:
    """What the first step of a quickstart in ``folder`` says; ``settings`` are given without ``PAYMENTS_``."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PAYMENTS_")}
    given = {f"PAYMENTS_{name}": value for name, value in settings.items()}
    shutil.copy(ROOT / ".env.example", folder)
    run = subprocess.run(
        [sys.executable, ROOT / "deploy" / "quickstart.py", "prepare"], cwd=folder, capture_output=True, text=True,
        env={**clean, **given, "PYTHONPATH": str(ROOT)}, check=True,
    )  # fmt: skip
    return run.stdout + run.stderr


@pytest.mark.parametrize("end", ["", "\n", "\r\n"], ids=["no-newline", "newline", "crlf"])
def test_what_env_lacks_is_filled_in_and_told_and_what_is_there_stays(tmp_path: Path, end: str) -> None:
    file = tmp_path / ".env"
    file.write_bytes(before := f"PAYMENTS_BIND=127.0.0.1:{free_port()}\nPAYMENTS_VIEWER_TOKENS={end}".encode())
    said = prepare(tmp_path, SESSION_CREDIT_ETH_PER_MINUTE="0.5")
    after = file.read_bytes()
    assert after.startswith(before)
    added = dotenv_values(stream=StringIO(after.decode().removeprefix(before.decode())))
    assert added == {
        "PAYMENTS_DATA_DIR": "./data",
        "PAYMENTS_BOOTSTRAP_ORCHESTRATORS_PATH": "./data/example-orchestrators.json",
        "PAYMENTS_SESSION_REPORTER_TOKEN": ANY,
        "PAYMENTS_API_ADMIN_TOKEN": ANY,
    }
    assert [name for name in added if name not in said] == []
    for name in ("PAYMENTS_SESSION_REPORTER_TOKEN", "PAYMENTS_API_ADMIN_TOKEN"):
        assert len(token := added[name] or "") > 20
        assert token not in said
    assert file.stat().st_mode & 0o077 == 0
    assert (prepare(tmp_path, SESSION_CREDIT_ETH_PER_MINUTE="0.5"), file.read_bytes()) == ("", after)


def test_a_journal_that_is_kept_elsewhere_stays_in_use(tmp_path: Path) -> None:
    journal = tmp_path / "elsewhere.log"
    journal.touch()
    (tmp_path / ".env").write_text(f"PAYMENTS_LEDGER_JOURNAL_PATH={journal}\nPAYMENTS_BIND=127.0.0.1:{free_port()}\n")
    assert "PAYMENTS_API_ADMIN_TOKEN" in prepare(tmp_path)
    assert "PAYMENTS_DATA_DIR" not in (tmp_path / ".env").read_text()


def test_address_that_is_taken_is_told_before_anything_runs(checkout: Path) -> None:
    """Otherwise it would report ready as soon as the other program, perhaps another Payments, answers."""
    with awake_host() as port:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PAYMENTS_")}
        run = subprocess.run(
            ["sh", "deploy/quickstart.sh"], cwd=checkout, capture_output=True, text=True, timeout=240, check=False,
            env={**environment, "HOME": str(checkout.parent), "PAYMENTS_BIND": f"127.0.0.1:{port}"},
        )  # fmt: skip
    assert run.returncode == 1
    assert f"127.0.0.1:{port} is already in use" in run.stderr
    assert "PAYMENTS_BIND=" in run.stderr
    assert READY not in run.stdout


@pytest.mark.parametrize("is_ended", [True, False], ids=["ended", "runs"])
def test_answer_of_another_program_is_not_greeted(checkout: Path, tmp_path: Path, is_ended: bool) -> None:
    """Another program may have taken the address a moment before."""
    with awake_host() as port:
        other = subprocess.Popen(["sleep", "0" if is_ended else "1.5"])
        started_s = time.monotonic()
        run = subprocess.run(
            [sys.executable, ROOT / "deploy" / "quickstart.py", "greet", str(other.pid)],
            cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PAYMENTS_BIND": f"127.0.0.1:{port}"},
        )  # fmt: skip
        other.wait()
    assert (run.returncode, run.stdout) == (1, "")
    assert "the API has stopped" in run.stderr
    assert is_ended or time.monotonic() - started_s > 1


def test_powered_on_time_is_paid_at_the_cadence(checkout: Path, tmp_path: Path) -> None:
    port = free_port()
    with awake_host() as power_port:
        metered = {
            "DATA_DIR": str(tmp_path), "POWER_METER_ENABLED": "true", "POWER_CREDIT_ETH_PER_MINUTE": "0.06",
            "POWER_POLL_SECONDS": "1", "POWER_PORT": str(power_port),
        }  # fmt: skip
        with quickstart(checkout, port, **metered) as said:
            admin = {"X-Admin-Token": re.findall(r"X-Admin-Token: (\S+)\"", said)[0]}
            record = {"orchestrator_id": "orch-local", "host_public_ip": "127.0.0.1"}
            url = f"http://127.0.0.1:{port}/api"
            requests.post(f"{url}/orchestrators/register", json=record, headers=admin, timeout=5).raise_for_status()

            def power() -> dict[str, Any]:
                states = requests.get(f"{url}/power", headers=admin, timeout=5).json()["power"]
                return next((each for each in states if each["orchestrator_id"] == "orch-local"), {"billed_ms": 0})

            until(lambda: power()["billed_ms"] > 3000, timeout_s=15)
            assert power()["state"] == "awake"
    entries, balances = audit(journal_path(tmp_path))
    paid_ms = [each["metadata"]["delta_ms"] for each in entries if each["reason"] == "power_time"]
    # Use the median: a busy machine may be late once and catch up with the next.
    assert 800 < median(paid_ms) < 1500
    assert balances == {"orch-local": Decimal(sum(paid_ms)) / 1_000_000}
