"""A sweep over many hosts, a tenth of them dead. ``PAYMENTS_TEST_HOSTS=5000`` is the number that it must handle."""

import os
import subprocess
import sys
from pathlib import Path

from tests.harness import ROOT

HOSTS = int(os.environ.get("PAYMENTS_TEST_HOSTS", "400"))
WITHIN_S = 20


def test_no_live_host_is_missed_and_dead_ones_cost_no_more_than_their_time_outs(tmp_path: Path) -> None:
    """With default settings and the system's default limit of open files."""
    command = [sys.executable, "-m", "tests.worker.many_hosts", str(HOSTS), "--limit", "256"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    sys.stdout.write(ran.stdout)
    first, second, rest = ran.stdout.splitlines()
    live = HOSTS - HOSTS // 10
    for line in (first, second):
        assert f"{HOSTS} asked, {live} of {live} awake, {HOSTS // 10} unknown, 0 left out" in line
        assert float(line.split()[-2]) < WITHIN_S
    assert "0 live hosts missed" in rest
    assert ran.stderr == ""
