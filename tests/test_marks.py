"""What ``run.sh --fast`` chooses starts no process."""

import subprocess

import pytest


def test_a_test_without_a_mark_cannot_start_a_process() -> None:
    with pytest.raises(pytest.fail.Exception, match="starts a process"):
        subprocess.run(["true"], check=True)


@pytest.mark.processes
def test_a_test_with_the_mark_can() -> None:
    assert subprocess.run(["true"], check=True).returncode == 0
