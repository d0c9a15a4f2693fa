"""Files of alert rules and of their test cases, for ``promtool``."""

import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.harness import ROOT


def promtool(*arguments: str, text: str | None = None) -> None:
    """Run ``promtool``, which must succeed."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    program = shutil.which("promtool", path=path)
    assert program is not None, "promtool is missing: run tests/run.sh, which fetches it"
    ran = subprocess.run([program, *arguments], input=text, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


class Alerts(NamedTuple):
    """A file with one group of rules, and the file of their cases."""

    rules_path: Path
    cases_path: Path

    def rules(self) -> list[dict[str, Any]]:
        [group] = yaml.safe_load(self.rules_path.read_text())["groups"]
        found: list[dict[str, Any]] = group["rules"]
        return found

    def cases(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = yaml.safe_load(self.cases_path.read_text())["tests"]
        return found

    def fired(self) -> set[str]:
        """Labels of alerts that fire in a case that also checks that nothing fired a minute before."""
        fire = set()
        for case in self.cases():
            for before, then in pairwise(case["promql_expr_test"]):
                if "exp_samples" in then:
                    [sample] = then["exp_samples"]
                    assert "exp_samples" not in before
                    assert int(then["eval_time"].removesuffix("m")) == int(before["eval_time"].removesuffix("m")) + 1
                    fire.add(sample["labels"])
        return fire


def alerts(name: str) -> Alerts:
    """The shipped alerts of that name."""
    folder = ROOT / "deploy" / "prometheus"
    return Alerts(folder / f"{name}.yml", folder / f"{name}_test.yml")
