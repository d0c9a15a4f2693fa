"""Every package says what it is for and what its modules are; who may import whom stands in test_import_map only."""

import ast
import re
from pathlib import Path

import pytest

from tests.harness import ROOT

FOUND = [path for top in ("payments", "worker", "tests") for path in sorted((ROOT / top).rglob("*.py"))]
PACKAGES = [path.parent for path in FOUND if path.name == "__init__.py" and "node_modules" not in path.parts]
PRODUCT = [path for path in FOUND if not path.is_relative_to(ROOT / "tests")]


def docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text())) or ""


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_package_docstring_lists_every_module_once(package: Path) -> None:
    modules = [path.stem for path in package.glob("*.py") if not path.stem.startswith(("__", "test_", "conftest"))]
    packages = [path.parent.name for path in package.glob("*/__init__.py")]
    said, _, index = docstring(package / "__init__.py").partition("\n\nModules:\n\n")
    assert said
    assert sorted(re.findall(r"^``(\w+)`` {2,}\S", index, re.MULTILINE)) == sorted(modules + packages)


def test_docstrings_do_not_say_who_may_import_whom() -> None:
    assert [str(path) for path in PRODUCT if "may import" in docstring(path).lower()] == []
