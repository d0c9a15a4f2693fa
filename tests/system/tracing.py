"""System calls that fail or kill, by ``strace -e inject``."""

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from tests.harness import until

RENAME = "?rename,?renameat,renameat2"
"""All names of the call, because no machine has them all."""


@contextmanager
def failing(pid: int, calls: str, how: str, only: Sequence[Path] = ()) -> Iterator[Callable[[], int]]:
    """Inject ``inject=CALLS:HOW`` into system calls of the running process ``pid``, counted by thread.

    ``only``: calls on these files. Yields a function that counts failures.
    """
    paths = [word for path in only for word in ("-P", str(path))]
    with NamedTemporaryFile("r") as report:
        command = ["strace", "-f", "-qq", "-o", report.name, "-e", f"trace={calls}", "-e", f"inject={calls}:{how}"]

        def injected() -> int:
            return Path(report.name).read_text().count("(INJECTED)")

        with subprocess.Popen([*command, *paths, "-p", str(pid)]) as tracer:
            try:
                until(lambda: _is_traced(pid, tracer.pid))
                yield injected
            finally:
                _end(tracer, pid)


def is_dead(pid: int) -> bool:
    """Whether process ``pid`` has ended, even if its parent has not waited for it yet."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def _end(tracer: subprocess.Popen[bytes], pid: int) -> None:
    tracer.terminate()
    try:
        tracer.wait(timeout=0.2)
    except subprocess.TimeoutExpired:
        # After a process with several threads is killed, strace 6.1 sometimes waits for a thread for ever.
        if is_dead(pid):
            tracer.kill()


def _is_traced(pid: int, tracer_pid: int) -> bool:
    """Whether every thread is; or there is none left to trace."""
    try:
        states = [Path(f"/proc/{pid}/task/{thread}/status").read_text() for thread in os.listdir(f"/proc/{pid}/task")]
    except (FileNotFoundError, ProcessLookupError):
        return is_dead(pid)
    return all(f"\nTracerPid:\t{tracer_pid}\n" in state for state in states)
