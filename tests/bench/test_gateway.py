"""The bench of the gateway runs, and says something of every figure."""

import json
import subprocess
import sys
from pathlib import Path

from tests.harness import ROOT


def test_every_figure_of_the_gateway_is_measured(tmp_path: Path) -> None:
    found = tmp_path / "bench.json"
    bench = subprocess.run(
        [
            sys.executable, "-m", "tests.bench.gateway", "--viewers", "20", "--seconds", "1", "--every", "0.5",
            "--echo-mib", "4", "--json", str(found),
        ],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert bench.returncode == 0, bench.stderr
    said = json.loads(found.read_text())
    assert said["direct"]["talk"]["messages"] == said["through"]["talk"]["messages"] == 40
    assert all(said[where]["echo"]["is_exact"] for where in ("direct", "through"))
    assert said["through"]["talk"]["p99_ms"] >= said["through"]["talk"]["p50_ms"] > 0
    assert "40 messages" in bench.stdout
    assert "KiB per viewer" in bench.stdout
