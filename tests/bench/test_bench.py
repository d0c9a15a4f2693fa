"""The bench runs, and says something of every figure."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import ROOT

pytestmark = pytest.mark.long


def test_every_figure_is_measured(tmp_path: Path) -> None:
    found = tmp_path / "bench.json"
    bench = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--quick", "--json", str(found)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert bench.returncode == 0, bench.stderr
    figures = json.loads(found.read_text())["figures"]
    assert len(figures) == 9
    # So few sessions can vanish behind what else a worker keeps.
    assert all(figure["value"] > 0 for figure in figures if "memory" not in figure["name"])
    assert all(figure["name"] in bench.stdout for figure in figures)
