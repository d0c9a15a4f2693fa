"""The processes of a demo. None of them outlives it, however it ends.

All are in the process group of a guardian: a shell that reads its standard input until the end. Only this process holds
the other end of that pipe, so it closes when this process ends, even by kill -9. The guardian then stops the group and
removes the folder. Ctrl-C at the terminal does not reach the group; the demo stops the processes one by one.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from payments.errors import Unavailable

_GUARDIAN = """
trap '' HUP INT TERM
read -r _
kill -TERM 0
sleep 3
rm -rf -- "$@"
kill -KILL 0
"""
_POLL_S = 0.05
_LAST_LINES = 12


class Part(NamedTuple):
    """One process of the demo, with its name and the path of its log."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raises ``Unavailable``, with the end of the log, if the process has ended."""
        code = self.process.poll()
        if code is not None:
            raise Unavailable(
                f"PAY-M02 the demo's {self.name} has ended ({_meaning(code)}); the last of its "
                f"log:\n{self._last_lines()}"
            )

    def _last_lines(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
        return "\n".join(f"    {line}" for line in lines) or "    (empty)"


def _meaning(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


class Parts:
    """All processes of one demo. Logs are in ``folder``; the guardian removes ``belongings`` at the end."""

    def __init__(self, folder: Path, belongings: Sequence[Path]) -> None:
        self._folder = folder
        self._parts: list[Part] = []
        # Other processes do not inherit the pipe: they would keep it open.
        self._guardian = subprocess.Popen(  # noqa: S603
            ["/bin/sh", "-c", _GUARDIAN, "guardian", *map(str, belongings)], stdin=subprocess.PIPE, process_group=0,
            cwd="/",
        )  # fmt: skip

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> Part:
        """Start ``command`` in the background."""
        log = self._log(name)
        with log.open("ab") as file:
            process = subprocess.Popen(  # noqa: S603
                command, cwd=self._folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=file,
                stderr=subprocess.STDOUT, process_group=self._guardian.pid,
            )  # fmt: skip
        part = Part(name, process, log)
        self._parts.append(part)
        return part

    async def run(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> bytes:
        """Run ``command`` and return its output. Raises ``Unavailable``, with its log, if it fails."""
        log = self._log(name)
        with log.open("ab") as file:
            process = await asyncio.create_subprocess_exec(
                *command, cwd=self._folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=file, process_group=self._guardian.pid,
            )  # fmt: skip
        printed, _ = await process.communicate()
        if process.returncode:
            text = log.read_text(errors="replace")
            raise Unavailable(f"PAY-M05 the demo's {name} says ({_meaning(process.returncode)}):\n{text}")
        return printed

    def _log(self, name: str) -> Path:
        return self._folder / f"{name.lower().replace(' ', '-')}.log"

    def check(self) -> None:
        """Raises ``Unavailable`` if any of them has ended."""
        for part in self._parts:
            part.check()

    async def stop(self, part: Part, patience_s: float) -> None:
        """Stop ``part`` cleanly. Raises ``Unavailable`` if it has already ended, fails, or hangs."""
        part.check()
        self._parts.remove(part)
        part.process.terminate()
        if not await _ended([part], patience_s):
            raise Unavailable(f"PAY-M03 the demo's {part.name} was told to stop {patience_s:g} s ago, and still runs")
        if part.process.returncode:
            part.check()

    async def close(self, patience_s: float = 5) -> None:
        """Stop all running processes: by SIGTERM, and by SIGKILL after ``patience_s``."""
        for part in self._parts:
            part.process.terminate()
        await _ended(self._parts, patience_s)
        with suppress(ProcessLookupError):
            os.killpg(self._guardian.pid, signal.SIGKILL)
        if self._guardian.stdin is not None:
            self._guardian.stdin.close()
        for process in (self._guardian, *(part.process for part in self._parts)):
            process.wait()


async def _ended(parts: Sequence[Part], patience_s: float) -> bool:
    """Wait up to ``patience_s`` for all of ``parts`` to end; return whether they did."""
    with suppress(TimeoutError):
        async with asyncio.timeout(patience_s):
            while any(part.process.poll() is None for part in parts):
                await asyncio.sleep(_POLL_S)
            return True
    return False
