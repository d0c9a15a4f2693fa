"""``sh deploy/quickstart.sh`` as a new user runs it: from nothing to a credit, stopped, and run again."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.audit import audit
from tests.harness import ROOT, free_port, journal_path

READY = "Stop with Ctrl-C."


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The tracked files, in a folder of their own, without ``.venv``, ``.env`` and ``data``."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for name in tracked:
        target = tmp_path / "checkout" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    return tmp_path / "checkout"


@contextmanager
def quickstart(checkout: Path, port: int) -> Iterator[str]:
    """A running quickstart; what it printed until it was ready. It must stop by itself when it is told to."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PAYMENTS_")}
    output = checkout.parent / f"output-{time.monotonic_ns()}"
    with output.open("wb") as file:
        process = subprocess.Popen(
            ["sh", "deploy/quickstart.sh"],
            cwd=checkout,
            env={**clean, "HOME": str(checkout.parent), "PAYMENTS_BIND": f"127.0.0.1:{port}"},
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
    """Answers to the ``curl`` commands in ``said``, run by a shell as they stand but for ``changes``."""
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
            session, listed, owed = pasted(said, ('"event":"start"', f'"event":"{kind}"'))
            time.sleep(0.2)
        assert session["outcome"] == "recorded"
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
