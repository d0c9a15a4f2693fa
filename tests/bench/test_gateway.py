"""The bench of the gateway runs and prints every figure."""

import json
import subprocess
import sys
from pathlib import Path

from tests.harness import ROOT


def test_every_figure_of_the_gateway_is_measured(tmp_path: Path) -> None:
    found = tmp_path / "bench.json"
    bench = subprocess.run(
        [
            sys.executable, "-m", "tests.bench.gateway", "--viewers", "120", "--rounds", "1", "--seconds", "1",
            "--every", "1", "--echo-mib", "4", "--json", str(found),
        ],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert bench.returncode == 0, bench.stderr
    said = json.loads(found.read_text())
    assert said["latency"]["messages"] == 120
    assert said["latency"]["through_p99_ms"] >= said["latency"]["through_p50_ms"] > 0
    assert {name: echo["is_exact"] for name, echo in said["echo"].items()} == {"direct": True, "through": True}
    for what in ("direct", "through", "added", "KiB more per viewer", "4 MiB back"):
        assert what in bench.stdout
