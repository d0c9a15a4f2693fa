"""Output is complete and exact on a terminal of any width, in a pipe, and in any encoding, or an error says why not."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from payments.cli.output import show, show_one
from tests.cli.command import done, records, refused, run, settle
from tests.harness import NOON_MS, ROOT, event, file_store

ODD = "a:warning:b[red]c[/red]d:a:"
LONG = "x" * 50 + "0123456789" * 7


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with sessions with odd and long ids."""
    folder = settle(tmp_path, monkeypatch)
    folder.mkdir()
    store = file_store(folder)
    store.execute([event(ODD), event(LONG), event("\N{SNOWMAN}")])
    store.close()
    return folder


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "payments.cli", *arguments]


def environment(**more: str) -> dict[str, str]:
    unset = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")
    return {**{name: value for name, value in os.environ.items() if name not in unset}, "PYTHONPATH": str(ROOT), **more}


def on_terminal(columns: int, *arguments: str) -> str:
    """Output of the command on a terminal of that width, without colours."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(command(*arguments), stdout=its, stdin=its, env=environment(TERM="xterm")) as process:
        os.close(its)
        said = b""
        try:
            while part := os.read(ours, 1 << 16):
                said += part
        except OSError:
            # A terminal reports like this that it has no more writers.
            pass
    os.close(ours)
    assert process.returncode == 0
    return re.sub(r"\x1b\[[0-9;]*m", "", said.decode()).replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [10, 40, 80, 200])
@pytest.mark.parametrize("arguments", [("sessions", "list"), ("sessions", "show", LONG), ("ledger", "events")])
def test_nothing_is_cut_on_a_terminal(columns: int, arguments: tuple[str, ...]) -> None:
    wide = "".join(run(*arguments).stdout.split())
    narrow = "".join(on_terminal(columns, *arguments).split())
    assert "\N{HORIZONTAL ELLIPSIS}" not in narrow
    assert sorted(narrow) == sorted(wide)


def test_text_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    show_one({"id": ODD}, as_json=False)
    show([{"id": ODD}], ["id"], as_json=False)
    assert capsys.readouterr().out.split() == ["id", ODD, "id", ODD]
    assert ODD in done("sessions", "list")
    assert ODD in on_terminal(300, "sessions", "list")


def test_a_line_in_a_pipe_is_as_long_as_it_has_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    show([{"id": LONG * 200}], ["id"], as_json=False)
    assert capsys.readouterr().out.split() == ["id", LONG * 200]


def test_what_an_encoding_has_not_is_escaped() -> None:
    ran = subprocess.run(
        command("sessions", "list"), env=environment(PYTHONIOENCODING="ascii"), capture_output=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert b"\\u2603" in ran.stdout


def test_output_that_is_closed_is_no_defect() -> None:
    ran = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *command("ledger", "events")], env=environment(), capture_output=True,
        check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, b"")


@pytest.mark.parametrize(
    "arguments",
    [
        ("ledger", "events"), ("ledger", "events", "--json"), ("ledger", "export", "--format", "csv"),
        ("config", "check"), ("--help",),
    ],
    ids=" ".join,
)  # fmt: skip
def test_output_that_cannot_be_written_is_an_error(arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            command(*arguments), env=environment(), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    said = "payments: cannot write the output (No space left on device)\n"
    assert (ran.returncode, ran.stderr) == (1, said)


def test_explain_shows_the_address_of_what_nobody_earned_and_counts_incarnations(data: Path) -> None:
    store = file_store(data)
    for after_ms, kind in enumerate(("start", "end", "start")):
        store.execute([event("again", kind, NOON_MS + after_ms, upstream_addr="192.0.2.7")])
    store.close()
    *intervals, sums = records("sessions", "explain", "again")
    assert {each["upstream_addr"] for each in intervals} == {"192.0.2.7"}
    assert sums["incarnations"] == 2
    assert "192.0.2.7" in done("sessions", "explain", "again")


@pytest.mark.parametrize(
    "arguments", ["ledger verify", "ledger export --format csv", "config check", "import livepeer-ops ."]
)
def test_what_works_on_files_is_not_sent_elsewhere(arguments: str) -> None:
    result = run("--api-url", "http://127.0.0.1:1", *arguments.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert "works on the files of this machine" in result.stderr


def test_added_record_is_said_to_be_new_or_changed() -> None:
    assert "orch-a registered" in run("orchestrators", "add", "orch-a").stderr
    assert "orch-a was registered already" in run("orchestrators", "add", "orch-a", "--host-name", "h").stderr


def test_help_says_whose_a_reference_is() -> None:
    assert "Idempotency key, per orchestrator" in " ".join(done("ledger", "adjust", "--help").split())
    assert "Traceback" not in refused("sessions", "show", "nobody")


INTERRUPTED = """
import os, runpy, signal, sys

class Interrupting:
    def find_spec(self, name, path, target=None):
        if name == at:
            os.kill(os.getpid(), signal.SIGINT)

at, begin = sys.argv[1:]
# Whoever was started in the background may have been told to ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Interrupting())
sys.argv[1:] = ["sessions", "list"]
if begin == "module":
    runpy.run_module("payments.cli", run_name="__main__")
else:
    from payments.cli import main
    sys.exit(main())
"""
"""The command, started as ``payments`` or by ``python -m``, with a Ctrl-C when it imports a module."""


@pytest.mark.parametrize("begin", ["script", "module"])
@pytest.mark.parametrize("at", ["payments.cli.app", "payments.settings", "payments.web"])
def test_ctrl_c_ends_a_start_as_it_ends_what_comes_later(begin: str, at: str) -> None:
    """The last of the three comes later, because the first call imports it."""
    ran = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, at, begin], env=environment(), capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (1, "", "\nAborted!\n")
