"""Which package may import which. Add a new module or arrow here first."""

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
    # Nothing of ours: workers inherit what the master imports, so a reload would keep running the old code.
    "deploy.gunicorn": set[str](),
    "deploy.systemd": {"payments.notify", "payments.probe"},
    "deploy.container": {
        "payments.errors", "payments.clock", "payments.domain", "payments.probe", "payments.settings", "payments.store",
        "payments.worker_status",
    },
    "deploy.quickstart": {
        "payments.errors", "payments.envfile", "payments.probe", "payments.settings", "payments.store",
    },
}  # fmt: skip

ONLY_IMPORTER = {
    "filelock": "payments/disk/lock.py",
    "fcntl": "payments/disk/lock.py deploy/gunicorn.conf.py",
    "dotenv": "payments/envfile.py",
    "msgspec": "payments/domain/ payments/store/file/",
    "time": "payments/clock.py payments/disk/lock.py payments/store/file/projector.py worker/ payments/edge/ deploy/",
    "requests": "worker/ payments/cli/calls.py payments/edge/",
    "click": "payments/cli/",
    "rich": "payments/cli/tables.py",
    "apscheduler": "worker/schedule.py",
    "flask": "payments/web/",
    "aiohttp": "payments/edge/gateway/ payments/cli/demo/",
    "gunicorn": "deploy/gunicorn.conf.py",
    "prometheus_client": "payments/web/ payments/edge/gateway/ deploy/gunicorn.conf.py",
    "apispec": "payments/web/openapi/",
}

MODULES = sorted(
    [*(path for top in ("payments", "worker", "deploy") for path in (ROOT / top).rglob("*.py")), ROOT / "wsgi.py"]
)

# Above the store, only the package itself is imported; its modules belong to the engines, but for these.
STORE_MODULES = {path.stem for path in (ROOT / "payments" / "store").iterdir()} - {"__init__"}
STORE_IMPORTERS = {"payments/cli/importing.py": {"memory"}}
ENGINE_SETTINGS = {
    "ledger_journal_path", "sessions_path", "balances_path", "power_meter_path", "journal_segment_bytes",
}  # fmt: skip
ENGINE_FILES = ("ledger-events.log", "sessions.json", "balances.json", "power_meter.json", ".lock")
# Names that look like the engine's: another backend's files, and locks outside of the ledger.
OTHER_FILES = {
    "payments/importing/livepeer_ops.py": {
        "audit/ledger-events.log", "sessions.json", "balances.json", "power_meter.json",
    },
    "payments/registry/registry.py": {".lock"},
    "payments/cli/payout_files.py": {".payouts.lock"},
}  # fmt: skip
ABOVE_THE_STORE = [
    path
    for path in MODULES
    if not path.is_relative_to(ROOT / "payments" / "store") and path != ROOT / "payments" / "settings.py"
]

TOP_LEVEL = {"setup.cfg", "setup.py", "wsgi.py", "payments", "worker", "tests", "deploy", "README.rst"}
DOT_FILES = {".ci", ".dockerignore", ".env.example", ".github", ".gitignore", ".ruff.toml"}


@pytest.mark.processes
def test_top_level_is_the_users_card() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert {path.split("/")[0] for path in tracked} == TOP_LEVEL | DOT_FILES


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_imports_only_what_its_room_may(path: Path) -> None:
    room = _room(_module(path))
    allowed = ROOMS[room] | {room}
    ours = {name for name in _imports(path) if name.split(".")[0] in TOP_LEVEL | {"wsgi"}}
    assert {name for name in ours if _room(name) not in allowed} == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_keeps_to_one_job(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= 300
    tree = ast.parse("\n".join(lines))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert [function.name for function in functions if (function.end_lineno or 0) - function.lineno > 45] == []


@pytest.mark.parametrize("path", ABOVE_THE_STORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_above_the_store_knows_nothing_of_its_engine(path: Path) -> None:
    """No file, lock, setting or module of the engine is named."""
    place = str(path.relative_to(ROOT))
    imported = {name.split(".")[2] for name in _names(path) if name.startswith("payments.store.")}
    assert (imported & STORE_MODULES) - STORE_IMPORTERS.get(place, set()) == set()
    nodes = list(ast.walk(ast.parse(path.read_text())))
    strings = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    assert (attributes | strings) & ENGINE_SETTINGS == set()
    assert {each for each in strings if each.endswith(ENGINE_FILES)} - OTHER_FILES.get(place, set()) == set()


@pytest.mark.parametrize("library", ONLY_IMPORTER)
def test_library_is_imported_in_its_place_only(library: str) -> None:
    places = ONLY_IMPORTER[library].split()
    importers = [
        str(path.relative_to(ROOT)) for path in MODULES if library in {n.split(".")[0] for n in _imports(path)}
    ]
    assert [path for path in importers if not path.startswith(tuple(places))] == []
    assert importers


def test_nobody_imports_from_a_test_module() -> None:
    """Shared test code is in a helper module or a conftest beside the tests."""
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
    """The package that ``module`` belongs to; ``payments`` itself imports nothing."""
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
    """What ``path`` imports: modules, and names from them."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            of = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            found |= {".".join([*of, alias.name]) for alias in node.names}
    return found
