"""Who may import whom. A new module or a new arrow has to be written down here first."""

import ast
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.harness import ROOT

ROOMS = {
    "payments": set[str](),
    "payments.errors": set[str](),
    "payments.clock": set[str](),
    "payments.domain": {"payments.errors"},
    "payments.disk": {"payments.errors"},
    "payments.fields": {"payments.domain"},
    "payments.events": {"payments.domain", "payments.fields"},
    "payments.strictjson": set[str](),
    "payments.logs": set[str](),
    "payments.notify": set[str](),
    "payments.probe": set[str](),
    "payments.endpoints": {"payments.errors"},
    "payments.envfile": {"payments.errors"},
    "payments.configuration": {"payments.errors", "payments.envfile"},
    "payments.settings": {"payments.errors", "payments.configuration", "payments.domain", "payments.endpoints"},
    "payments.store": {
        "payments.errors", "payments.clock", "payments.domain", "payments.disk", "payments.settings",
        "payments.strictjson",
    },
    "payments.worker_status": {"payments.domain", "payments.store"},
    "payments.registry": {
        "payments.errors", "payments.domain", "payments.disk", "payments.fields", "payments.strictjson",
        "payments.endpoints",
    },
    "payments.importing": {
        "payments.errors", "payments.domain", "payments.fields", "payments.strictjson", "payments.settings",
        "payments.registry", "payments.store",
    },
    "payments.exports": {"payments.errors", "payments.domain", "payments.strictjson"},
    "payments.web": {
        "payments.errors", "payments.clock", "payments.domain", "payments.fields", "payments.events",
        "payments.settings", "payments.store", "payments.registry", "payments.strictjson", "payments.worker_status",
        "payments.logs",
    },
    "payments.cli": {
        "payments.errors", "payments.clock", "payments.domain", "payments.disk", "payments.settings", "payments.store",
        "payments.registry", "payments.exports", "payments.web", "payments.importing", "payments.endpoints",
    },
    "payments.edge": {
        "payments.errors", "payments.clock", "payments.domain", "payments.disk", "payments.fields", "payments.events",
        "payments.strictjson", "payments.logs", "payments.notify", "payments.configuration", "payments.envfile",
        "payments.endpoints",
    },
    "worker": {
        "payments.errors", "payments.clock", "payments.domain", "payments.settings", "payments.store",
        "payments.registry", "payments.strictjson", "payments.worker_status", "payments.logs", "payments.notify",
        "payments.endpoints",
    },
    "wsgi": {"payments.errors", "payments.logs", "payments.settings", "payments.web"},
}  # fmt: skip

ONLY_IMPORTER = {
    "filelock": "payments/disk/lock.py",
    "fcntl": "payments/disk/lock.py",
    "dotenv": "payments/envfile.py",
    "msgspec": "payments/domain/ payments/store/file/",
    "time": "payments/clock.py payments/disk/lock.py payments/store/file/projector.py worker/ payments/edge/",
    "requests": "worker/ payments/cli/calls.py payments/edge/",
    "click": "payments/cli/",
    "rich": "payments/cli/tables.py",
    "apscheduler": "worker/schedule.py",
    "flask": "payments/web/",
    "aiohttp": "payments/edge/gateway/ payments/cli/demo/",
    "prometheus_client": "payments/web/ payments/edge/gateway/",
    "apispec": "payments/web/openapi/",
}

MODULES = sorted([*(ROOT / "payments").rglob("*.py"), *(ROOT / "worker").rglob("*.py"), ROOT / "wsgi.py"])
TOP_LEVEL = {"setup.cfg", "setup.py", "wsgi.py", "payments", "worker", "tests", "deploy", "README.rst"}
DOT_FILES = {".ci", ".dockerignore", ".env.example", ".gitignore", ".ruff.toml"}


def test_top_level_is_the_users_card() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert {path.split("/")[0] for path in tracked} == TOP_LEVEL | DOT_FILES


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_imports_only_what_its_room_may(path: Path) -> None:
    room = _room(_module(path))
    allowed = ROOMS[room] | {room}
    ours = {name for name in _imports(path) if name.split(".")[0] in ("payments", "worker", "wsgi")}
    assert {name for name in ours if _room(name) not in allowed} == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_keeps_to_one_job(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= 300
    functions = [node for node in ast.walk(ast.parse("\n".join(lines))) if isinstance(node, ast.FunctionDef)]
    assert [function.name for function in functions if (function.end_lineno or 0) - function.lineno > 45] == []


@pytest.mark.parametrize("library", ONLY_IMPORTER)
def test_library_is_imported_in_its_place_only(library: str) -> None:
    places = ONLY_IMPORTER[library].split()
    importers = [
        str(path.relative_to(ROOT)) for path in MODULES if library in {n.split(".")[0] for n in _imports(path)}
    ]
    assert [path for path in importers if not path.startswith(tuple(places))] == []
    assert importers


def test_nobody_imports_from_a_test_module() -> None:
    """What tests share is in a helper module or a conftest beside them."""
    found = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for name in sorted(_names(path))
        if any(part.startswith("test_") for part in name.split("."))
    ]
    assert found == []


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _room(module: str) -> str:
    """The room that ``module`` belongs to; the package ``payments`` itself is one that imports nothing."""
    if module.startswith("worker"):
        return "worker"
    return ".".join(module.split(".")[:2])


@cache
def _imports(path: Path) -> frozenset[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return frozenset(found)


def _names(path: Path) -> set[str]:
    """What ``path`` imports, modules and what is taken from them alike."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            of = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            found |= {".".join([*of, alias.name]) for alias in node.names}
    return found
