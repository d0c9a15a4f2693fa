"""The bench runs and prints every figure."""

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
    assert len(figures) == 11
    # So few sessions may not show in a worker's memory.
    assert all(figure["value"] > 0 for figure in figures if "memory" not in figure["name"])
    assert all(figure["name"] in bench.stdout for figure in figures)


def test_a_checkout_is_compared_with_another_and_with_the_floor() -> None:
    compare = subprocess.run(
        [sys.executable, "-m", "tests.bench.compare", ".", "--seconds", "1", "--rounds", "1"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert compare.returncode == 0, compare.stderr
    # A heading, and for each load a line for each server; the floor takes no batches.
    assert len(compare.stdout.splitlines()) == 1 + 3 + 3 + 2
