"""Tests of the tests: ``python -m tests.mutants [NAME ...]`` plants defects, one at a time, and sees them noticed.

Works on a copy of the tree. The tests concerned must pass there without a defect, and fail with each one. Ends with
exit code 1 if a defect survives, cannot be planted, or is not tried because its tests fail without it.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from tests.mutants import MUTANTS, Mutant, NotPlanted

ROOT = Path(__file__).parent.parent.parent
COPIED = (
    "payments", "worker", "tests", "deploy", "wsgi.py", "setup.cfg", "setup.py", "README.rst", ".env.example",
    ".ruff.toml",
)  # fmt: skip

SURVIVED = "SURVIVED"
_TIMEOUT_S = 300
_FIRST_FAILURE = re.compile(r"^(?:FAILED|ERROR) (tests/.+?)(?: - |$)", re.MULTILINE)


def main(names: list[str]) -> int:
    known = {mutant.name: mutant for mutant in MUTANTS}
    if unknown := [name for name in names if name not in known]:
        _say(f"no such mutant: {', '.join(unknown)}; there are: {', '.join(known)}")
        return 2
    chosen = [known[name] for name in names] or list(MUTANTS)
    with tempfile.TemporaryDirectory(prefix="payments-mutants-") as folder:
        root = Path(folder)
        _copy(root)
        sound = _sound(root, chosen)
        survivors = [mutant.name for mutant in chosen if mutant.tests not in sound or not _noticed(mutant, root)]
    _say(f"{len(chosen)} mutants, {len(survivors)} not noticed{': ' if survivors else ''}{', '.join(survivors)}")
    return int(bool(survivors))


def _copy(root: Path) -> None:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, root / name)


def _sound(root: Path, chosen: Iterable[Mutant]) -> set[str]:
    """The tests that pass without a defect; the others would notice any."""
    sound = set()
    for tests in dict.fromkeys(mutant.tests for mutant in chosen):
        verdict = _verdict(root, tests)
        if verdict == SURVIVED:
            sound.add(tests)
        else:
            _say(f"without any defect fails: {verdict}")
    return sound


def _noticed(mutant: Mutant, root: Path) -> bool:
    begun_s = time.monotonic()
    target = root / mutant.path
    original = target.read_text()
    try:
        _put(target, mutant.planted(root))
        verdict = _verdict(root, mutant.tests)
    except NotPlanted as error:
        verdict = f"{SURVIVED}: {error}"
    finally:
        _put(target, original)
    _say(f"{mutant.name:50} {time.monotonic() - begun_s:6.1f} s  {verdict}")
    return not verdict.startswith(SURVIVED)


def _put(target: Path, source: str) -> None:
    target.write_text(source)
    # The compiled module counts as fresh if its source has the same size and second of change.
    for compiled in target.parent.glob(f"__pycache__/{target.stem}.*"):
        compiled.unlink()


def _verdict(root: Path, tests: str) -> str:
    """The first test that fails, or ``SURVIVED``."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests.split()]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PAYMENTS_", "PYTHON"))}
    with subprocess.Popen(
        command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            output, _ = process.communicate(timeout=_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return f"{tests}, by taking more than {_TIMEOUT_S} s"
    if process.returncode == 0:
        return SURVIVED
    failure = _FIRST_FAILURE.search(output)
    # Anything but failed tests, such as a selection that is empty, says nothing about the defect.
    return failure[1] if process.returncode == 1 and failure else f"{SURVIVED}: pytest could not run\n{output}"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
