"""Processes that read commands as lines of JSON and answer each with a line."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.harness import ROOT


class LineProcess:
    """A process that is ready. Attributes: ``log``: its log file."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.log = log
        self.process = process
        assert self._read() == "ready", log.read_text()

    def ask(self, **command: Any) -> Any:
        """Send a command; return the answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{json.dumps(command)}\n")
        self.process.stdin.flush()
        return self._read()

    def kill(self) -> None:
        """Kill it with all its children."""
        self.process.kill()
        self.process.wait()

    def _read(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        return json.loads(line)


@contextmanager
def running_line_process(
    module: str, log: Path, settings: Mapping[str, str], *arguments: str
) -> Iterator[subprocess.Popen[str]]:
    """A process that runs ``module`` with only these settings; always stopped at the end."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PAYMENTS_")}
    with (
        log.open("a") as errors,
        subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT, env={**environment, **settings}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
            text=True,
        ) as process,
    ):  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def say(what: object) -> None:
    """Answer commands, in such a process."""
    sys.stdout.write(f"{json.dumps(what)}\n")
    sys.stdout.flush()


def raise_file_limit() -> None:
    """Let this process and its children open as many files as the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
