"""What is installed: the wheel, and the pinned list that ``deploy/install.sh`` and the container go by."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from configparser import ConfigParser
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.harness import ROOT

PINNED = ROOT / "deploy" / "requirements.txt"
INSTALLED_EXTRAS = ("build", "edge")
MACHINES = [
    {"python_version": python, "python_full_version": f"{python}.0", "platform_machine": machine}
    for python in ("3.11", "3.12", "3.13")
    for machine in ("x86_64", "aarch64")
]


def configuration() -> ConfigParser:
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def declared() -> list[Requirement]:
    """The dependencies of all that is installed, as setup.cfg bounds them."""
    parser = configuration()
    extras = parser["options.extras_require"]
    lists = [parser["options"]["install_requires"], *(extras[name] for name in INSTALLED_EXTRAS)]
    return [Requirement(line) for each in lists for line in each.splitlines() if line]


def pinned() -> list[tuple[Requirement, list[str]]]:
    """The list's requirements, each with the options that follow it."""
    text = PINNED.read_text().replace("\\\n", " ")
    found = []
    for line in text.splitlines():
        if not line.startswith("#"):
            requirement, *options = re.split(r"\s+(?=--)", line.strip())
            found.append((Requirement(requirement), options))
    return found


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: "-".join(machine.values()))
def test_every_dependency_is_pinned_within_its_bounds(machine: dict[str, str]) -> None:
    versions = {
        canonicalize_name(each.name): [specifier.version for specifier in each.specifier]
        for each, _ in pinned()
        if each.marker is None or each.marker.evaluate({**machine, "sys_platform": "linux"})
    }
    for requirement in declared():
        [version] = versions[canonicalize_name(requirement.name)]
        assert version in requirement.specifier, requirement


def test_every_pin_is_one_version_with_its_hashes_and_nothing_else() -> None:
    """No address of an index either: pip asks the one that the machine is set to."""
    for requirement, options in pinned():
        assert [each.operator for each in requirement.specifier] == ["=="]
        assert options, requirement
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", each) for each in options), requirement
    assert "://" not in PINNED.read_text()


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return listed.splitlines()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a clean checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in tracked():
        target = folder / "checkout" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--use-pep517", f"--wheel-dir={folder}", folder / "checkout"], check=True
    )
    [built] = folder.glob("*.whl")
    return built


@pytest.mark.processes
def test_the_wheel_has_all_of_the_product_and_nothing_else(wheel: Path) -> None:
    assert wheel.name.startswith("pixel_streaming_payments-")
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    product = [name for name in tracked() if name.startswith(("payments/", "worker/")) or name == "wsgi.py"]
    assert names == {name for name in product if not name.endswith(".rst")}


SERVE = """
from pathlib import Path
from payments.settings import Settings
from payments.web import create_app
from payments.web.services import close_store
app = create_app(Settings.load(Path("none")))
for path in ("/readyz", "/docs", "/openapi.json"):
    assert app.test_client().get(path).status_code == 200, path
close_store(app)
"""


@pytest.mark.processes
def test_the_wheel_runs(wheel: Path, tmp_path: Path) -> None:
    """In an environment of its own, but for its dependencies, which are those of the tests."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    programs = tmp_path / "venv" / "bin"
    subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", f"--python={programs / 'python'}",
         "install", "--no-deps", wheel],
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"}, check=True,
    )  # fmt: skip
    environment = {"PYTHONPATH": sysconfig.get_path("purelib"), "PAYMENTS_DATA_DIR": str(tmp_path / "data")}

    def run(*command: str | Path) -> str:
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        ).stdout  # fmt: skip

    where = run(programs / "python", "-c", "import payments; print(payments.__file__)")
    assert Path(where.strip()).is_relative_to(tmp_path / "venv")
    version = configuration()["metadata"]["version"]
    assert run(programs / "payments", "--version").split()[-1] == version
    for name in ("payments", "payments-worker", "ps-gateway"):
        assert "usage:" in run(programs / name, "--help").lower()
    run(programs / "python", "-c", SERVE)
