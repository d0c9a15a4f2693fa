"""The ``payments`` command on its own data folder: in this process, or as one that can be killed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from payments.cli.app import main
from tests.harness import ROOT


def settle(folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: str) -> Path:
    """Set this process's settings to ``folder / "data"``, which does not exist yet, and ``settings`` only."""
    for name in os.environ:
        if name.startswith("PAYMENTS_") and name != "PAYMENTS_TEST_EXAMPLES":
            monkeypatch.delenv(name)
    monkeypatch.setenv("PAYMENTS_DATA_DIR", str(folder / "data"))
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    return folder / "data"


def run(*arguments: str) -> Result:
    """Run the command with ``arguments``."""
    return CliRunner().invoke(main, arguments)


def done(*arguments: str) -> str:
    """Its output; it must succeed."""
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments: str) -> str:
    """Its error; it must fail."""
    result = run(*arguments)
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    return result.stderr


def records(*arguments: str) -> list[dict[str, Any]]:
    """Its output with ``--json``."""
    return [json.loads(line) for line in done(*arguments, "--json").splitlines()]


def process(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    """Run the command as another process, with this one's settings."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-m", "payments.cli", *arguments], env=environment, **options)


def payments_on_path(folder: Path) -> dict[str, str]:
    """This process's environment, with the command on the ``PATH``, in ``folder``."""
    command = folder / "payments"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m payments.cli "$@"\n')
    command.chmod(0o700)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
