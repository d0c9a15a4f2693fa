"""Disks for tests: real files without syncs, or with recorded calls, some of which fail or wait."""

import os
import threading
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeAlias

from payments.disk import Disk


class Fail(NamedTuple):
    """The call fails with this ``errno``."""

    number: int


class Take(NamedTuple):
    """The write accepts at most this many bytes."""

    length: int


Step: TypeAlias = Fail | Take | None
"""What a call does; ``None``: the usual."""


class HastyDisk(Disk):
    """Skips syncs, which only take time if no power is lost."""

    def sync(self, descriptor: int) -> None:
        pass

    def sync_folder(self, path: Path) -> None:
        pass


class ScriptedDisk(Disk):
    """Records its calls; some of them follow a script.

    Attributes:
        log: operation and file name of each call that can change or sync a file, in order.
        broken: by operation and file name, what calls without a script do.
    """

    def __init__(self) -> None:
        self.log: list[tuple[str, str]] = []
        self.broken: dict[tuple[str, str], Step] = {}
        self._scripts: defaultdict[tuple[str, str], deque[Step]] = defaultdict(deque)

    def script(self, operation: str, name: str, *steps: Step) -> None:
        """Let the next calls of ``operation`` on the file ``name`` do ``steps``."""
        self._scripts[operation, name].extend(steps)

    def name_of(self, descriptor: int) -> str:
        """Name of the file behind ``descriptor``."""
        return Path(os.readlink(f"/proc/self/fd/{descriptor}")).name

    def open(self, path: Path, flags: int) -> int:
        self._step("open", path.name)
        return super().open(path, flags)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        step = self._step("write", self.name_of(descriptor))
        return super().write(descriptor, data[: step.length] if isinstance(step, Take) else data)

    def read(self, descriptor: int, length: int, offset: int) -> bytes:
        self._step("read", self.name_of(descriptor))
        return super().read(descriptor, length, offset)

    def size(self, descriptor: int) -> int:
        self._step("size", self.name_of(descriptor))
        return super().size(descriptor)

    def sync(self, descriptor: int) -> None:
        self._step("sync", self.name_of(descriptor))
        super().sync(descriptor)

    def truncate(self, descriptor: int, size: int) -> None:
        self._step("truncate", self.name_of(descriptor))
        super().truncate(descriptor, size)

    def replace(self, source: Path, target: Path) -> None:
        self._step("replace", target.name)
        super().replace(source, target)

    def remove(self, path: Path) -> None:
        self._step("remove", path.name)
        super().remove(path)

    def sync_folder(self, path: Path) -> None:
        self._step("sync_folder", path.name)
        super().sync_folder(path)

    def forget_cache(self, descriptor: int) -> None:
        self._step("forget_cache", self.name_of(descriptor))
        super().forget_cache(descriptor)

    def _step(self, operation: str, name: str) -> Step:
        if operation not in ("read", "size"):
            self.log.append((operation, name))
        script = self._scripts[operation, name]
        step = script.popleft() if script else self.broken.get((operation, name))
        if isinstance(step, Fail):
            raise OSError(step.number, os.strerror(step.number), name)
        return step


class GatedDisk(ScriptedDisk):
    """A scripted disk whose syncs of one file wait during ``held_sync``."""

    def __init__(self, name: str = "ledger-events.log") -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.waiting = threading.Event()
        self._gated = name

    def sync(self, descriptor: int) -> None:
        if self.name_of(descriptor) == self._gated and not self.gate.is_set():
            self.waiting.set()
            assert self.gate.wait(30)
        super().sync(descriptor)


@contextmanager
def held_sync(disk: GatedDisk) -> Iterator[None]:
    """Let syncs wait until the block ends; ``disk.waiting`` is set once one waits."""
    disk.waiting.clear()
    disk.gate.clear()
    try:
        yield
    finally:
        disk.gate.set()
