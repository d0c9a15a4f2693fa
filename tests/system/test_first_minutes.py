"""What README.rst tells a new user to paste works as it stands there."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.cli.command import payments_on_path
from tests.harness import HOST_A, Server
from tests.readme import script

TITLE = "The first ten minutes"


def pasted(server: Server, folder: Path, first_line: str, *changes: tuple[str, str]) -> str:
    """What the commands that begin with ``first_line`` print, run by a shell as they stand but for ``changes``."""
    commands = script("README.rst", TITLE, first_line)
    for old, new in (("http://127.0.0.1:8081", server.url), ("sleep 2", "sleep 0.2"), *changes):
        commands = commands.replace(old, new)
    clean = {name: value for name, value in payments_on_path(folder).items() if not name.startswith("PAYMENTS_")}
    given = {"REPORTER": server.REPORTER, "ADMIN": server.ADMIN, "PAYMENTS_DATA_DIR": str(server.data)}
    run = subprocess.run(
        ["bash", "-euc", commands], cwd=folder, env={**clean, **given}, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout


def answers(text: str) -> list[Any]:
    """The JSON objects that stand in ``text`` one behind the other."""
    decoder, found = json.JSONDecoder(), []
    while text := text.lstrip():
        answer, end = decoder.raw_decode(text)
        found.append(answer)
        text = text[end:]
    return found


def test_a_session_is_reported_explained_and_owed(server: Server, tmp_path: Path) -> None:
    server.register("orch-example", HOST_A)
    said = answers(pasted(server, tmp_path, "A viewer connects to that host, stays, and leaves:"))
    *reported, listed, entries, owed, registered = said
    assert [(each["last_event"], each["outcome"]) for each in reported] == [
        ("start", "recorded"), ("heartbeat", "recorded"), ("end", "recorded"),
    ]  # fmt: skip
    earned = reported[-1]["billed_eth"]
    assert [(each["session_id"], each["billed_eth"]) for each in listed["sessions"]] == [("test-1", earned)]
    assert [each["metadata"]["event"] for each in entries["events"]] == ["end", "heartbeat", "start"]
    assert [(each["orchestrator_id"], each["balance"]) for each in owed["balances"]] == [("orch-example", earned)]
    assert registered["orchestrator_id"] == "orch-eu"

    shown = pasted(
        server, tmp_path, "What became of every millisecond of the session, and what is owed:", (".venv/bin/", "")
    )
    assert shown.count("orch-example") == 4
    assert shown.split()[-4:-1] == ["orch-example", earned, "eth"]
