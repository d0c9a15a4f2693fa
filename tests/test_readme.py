"""Generated parts of documents are up to date, and the line for completion in a shell works."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.cli.command import payments_on_path
from tests.harness import ROOT
from tests.readme import PARTS, filled, section


@pytest.mark.parametrize("document", PARTS)
def test_generated_parts_are_up_to_date(document: str) -> None:
    assert (ROOT / document).read_text() == filled(document), "run python -m tests.readme"


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        pytest.param("payments led", ["ledger"], id="group"),
        pytest.param("payments ledger ex", ["export"], id="command"),
        pytest.param("payments payouts record --t", ["--tx"], id="option"),
        pytest.param("payments sessions list --status ", ["active", "stale", "ended"], id="value"),
    ],
)
@pytest.mark.processes
def test_the_line_for_bashrc_completes(tmp_path: Path, words: str, completed: list[str]) -> None:
    line = re.findall(
        r"^    (eval .+)$", section("payments/cli/COMMANDS.rst", "The ``payments`` command"), re.MULTILINE
    )
    assert len(line) == 1
    quoted = " ".join(f"'{word}'" for word in words.split(" "))
    script = f"{line[0]}\nCOMP_WORDS=({quoted}) COMP_CWORD={words.count(' ')}\n_payments_completion payments\n"
    run = subprocess.run(
        ["bash", "--norc", "-euc", f'{script}printf "%s\\n" "${{COMPREPLY[@]}}"'],
        env=payments_on_path(tmp_path), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (run.stdout.split(), run.stderr) == (completed, "")
