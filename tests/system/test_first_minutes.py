"""The commands in README.rst for new users work as pasted."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from tests.cli.command import payments_on_path
from tests.harness import HOST_A, Server
from tests.readme import script, section

TITLE = "The first ten minutes"


def pasted(server: Server, folder: Path, first_line: str, *changes: tuple[str, str], told: str = "") -> str:
    """Output of the commands under ``first_line``, run with ``changes``; ``told`` is on stderr."""
    commands = script("README.rst", TITLE, first_line)
    for old, new in (("http://127.0.0.1:8081", server.url), ("sleep 2", "sleep 0.2"), *changes):
        commands = commands.replace(old, new)
    clean = {name: value for name, value in payments_on_path(folder).items() if not name.startswith("PAYMENTS_")}
    given = {"REPORTER": server.REPORTER, "ADMIN": server.ADMIN, "PAYMENTS_DATA_DIR": str(server.data)}
    run = subprocess.run(
        ["bash", "-euc", commands], cwd=folder, env={**clean, **given}, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, told)
    return run.stdout


def answers(text: str) -> list[Any]:
    """Consecutive JSON objects in ``text``."""
    decoder, found = json.JSONDecoder(), []
    while text := text.lstrip():
        answer, end = decoder.raw_decode(text)
        found.append(answer)
        text = text[end:]
    return found


def test_a_session_is_reported_explained_and_owed(server: Server, tmp_path: Path) -> None:
    server.register("orch-example", HOST_A)
    reported = answers(pasted(server, tmp_path, "A viewer connects to that host, stays, and leaves:"))
    assert [(each["last_event"], each["outcome"]) for each in reported] == [
        ("start", "recorded"), ("heartbeat", "recorded"), ("end", "recorded"),
    ]  # fmt: skip
    earned = reported[-1]["billed_eth"]
    [owed] = answers(pasted(server, tmp_path, "What is owed:"))
    assert [(each["orchestrator_id"], each["balance"]) for each in owed["balances"]] == [("orch-example", earned)]

    first_line = "What became of every millisecond of the session, and who is registered:"
    shown = pasted(server, tmp_path, first_line, (".venv/bin/", ""), told="payments: orch-eu registered\n")
    assert shown.count("orch-example") == 4
    assert earned in shown.split()
    assert shown.count("orch-eu") == 2


def test_shown_answers_have_the_shape_of_real_ones(server: Server, tmp_path: Path) -> None:
    """Table headings and JSON member names, which a newcomer compares."""
    server.register("orch-example", HOST_A)
    reported = answers(pasted(server, tmp_path, "A viewer connects to that host, stays, and leaves:"))
    [owed] = answers(pasted(server, tmp_path, "What is owed:"))
    said = section("README.rst", TITLE)
    names = {name for text in re.findall(r"^    .*", said, re.MULTILINE) for name in re.findall(r'"(\w+)":', text)}
    sent = {"session_id", "upstream_addr", "edge_id", "event"}
    assert names - sent <= set(reported[-1]) | set(owed) | set(owed["balances"][0])
