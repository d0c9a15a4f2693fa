"""Processes of ``recorder_process``, as tests control them."""

import json
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, NamedTuple

from tests.harness import NOON_MS, ROOT, until
from tests.system.tracing import failing, is_dead

STEP_MS = 15_000


class PlannedFault(NamedTuple):
    """A fault in a process from the opening of its store on: see ``failing``."""

    calls: str
    how: str
    only: Sequence[Path] = ()


class RecorderProcess:
    """A process with a store.

    Attributes:
        said: its line after opening the store: ``ready`` if that worked; empty if it died.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.pid = process.pid
        self.said = ""
        self._process = process
        assert self._read() == "loaded"

    @property
    def has_died(self) -> bool:
        """Whether a signal killed it, once it has ended."""
        return self._process.returncode == -signal.SIGKILL

    def open_store(self) -> None:
        self.said = self._answer_to("")

    def tell(self, number: int, now_ms: int | None = None, **fields: Any) -> str:
        """Send event ``number``, by default a heartbeat ``STEP_MS`` after the last. Its answer; empty: it died."""
        event = {"session_id": "s-1", "event": "heartbeat", "event_id": str(number), **fields}
        return self._answer_to(json.dumps([NOON_MS + number * STEP_MS if now_ms is None else now_ms, event]))

    def limit_files(self, file_bytes: int = resource.RLIM_INFINITY) -> None:
        """No file that it writes may grow past ``file_bytes``."""
        limit_files(self.pid, file_bytes)

    def end(self) -> None:
        """Let it close its store and exit, unless it has died."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        until(lambda: is_dead(self.pid))

    def _answer_to(self, line: str) -> str:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
        return self._read()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")


def limit_files(pid: int, file_bytes: int = resource.RLIM_INFINITY) -> None:
    """No file that process ``pid`` writes may grow past ``file_bytes``."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (file_bytes, resource.RLIM_INFINITY))


@contextmanager
def running_recorder(
    folder: Path, *, segment_bytes: int = 1 << 28, max_gap_s: int = 0, fault: PlannedFault | None = None
) -> Iterator[RecorderProcess]:
    """A process with a store on ``folder``, stopped at the end; its ``fault`` may have killed it before."""
    command = [sys.executable, "-m", "tests.system.recorder_process", str(folder), str(segment_bytes), str(max_gap_s)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            recorder = RecorderProcess(process)
            with failing(recorder.pid, *fault) if fault else nullcontext():
                recorder.open_store()
                yield recorder
                recorder.end()
            assert process.wait(timeout=30) in ((0, -signal.SIGKILL) if fault else (0,))
        finally:
            process.kill()
