"""Names: one noun, one meaning, and a predicate that answers and does nothing else."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PREDICATES = ("is_", "has_", "can_", "may_", "needs_")
MODULES = sorted(path for room in ("payments", "worker", "deploy", "tests") for path in (ROOT / room).rglob("*.py"))
PRODUCT = [path for path in MODULES if path.relative_to(ROOT).parts[0] != "tests"]


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def public_classes(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith(("_", "Test")):
            yield node.name


def predicates(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.lstrip("_").startswith(PREDICATES):
            yield node


def assigned_to_self(function: ast.AST) -> Iterator[str]:
    """What ``function`` assigns to ``self`` or to anything reached from it: ``self.a``, ``self.a.b``, ``self.a[0]``."""
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            owner: ast.expr = node
            while isinstance(owner, ast.Attribute | ast.Subscript):
                owner = owner.value
            if isinstance(owner, ast.Name) and owner.id == "self":
                yield ast.unparse(node)


def faults(tree: ast.Module) -> list[str]:
    found = []
    for function in predicates(tree):
        returned = ast.unparse(function.returns) if function.returns else "nothing declared"
        if returned != "bool" and not returned.startswith(("TypeGuard[", "TypeIs[")):
            found.append(f"{function.name} returns {returned}")
        found += [f"{function.name} assigns to {target}" for target in assigned_to_self(function)]
    return found


def test_no_two_public_classes_share_a_name() -> None:
    modules: dict[str, list[str]] = defaultdict(list)
    for path in MODULES:
        for name in public_classes(parse(path)):
            modules[name].append(str(path.relative_to(ROOT)))
    assert {name: paths for name, paths in modules.items() if len(paths) > 1} == {}


def test_a_predicate_returns_a_bool_and_changes_nothing() -> None:
    found = {str(path.relative_to(ROOT)): faults(parse(path)) for path in PRODUCT}
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    "body",
    [
        "-> int: ...",
        ": ...",
        "-> bool: self.a = 1",
        "-> bool: self.a[0] += 1",
        "-> bool: self.a, b = c",
        "-> bool: del self.a",
    ],
)
def test_a_predicate_that_does_more_is_found(body: str) -> None:
    assert len(faults(ast.parse(f"class A:\n    def _is_b(self) {body}"))) == 1
    assert faults(ast.parse(f"class A:\n    def mark(self) {body}")) == []
