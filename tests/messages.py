"""What Payments can say when something is wrong, read from its source: every message as a template.

A template is the text with ``…`` in place of what is filled in. Found are log calls of level warning and above, what is
raised to stop a start, a call or a command, and what a failed start prints.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.harness import ROOT

SOURCES = ("payments", "worker", "wsgi.py", "deploy/gunicorn.conf.py")
RAISED = {"Corrupt", "Misconfigured", "Unavailable", "UnknownVersion", "ClickException", "UsageError"}
LEVELS = {"warning", "error", "exception", "critical", "log"}
GAP = "…"


class Message(NamedTuple):
    """What one place in the source may say.

    Attributes:
        path: the file, from the root of the tree; ``said``: the expression there; ``line``: where it stands.
        templates: what the expression may come to; empty where the words arise elsewhere.
    """

    path: str
    line: int
    said: str
    templates: tuple[str, ...]


def messages() -> list[Message]:
    """Every message, in the order of the sources."""
    files = [each for name in SOURCES for each in sorted((ROOT / name).rglob("*.py")) or [ROOT / name]]
    return [message for path in files for message in _messages(path)]


def templates_in(path: Path) -> set[str]:
    """Every string in the source at ``path``, as a template."""
    tree = ast.parse(path.read_text())
    reader = _Reader(tree)
    texts = (each for each in ast.walk(tree) if isinstance(each, ast.Constant | ast.JoinedStr))
    return {template for text in texts for template in reader.read(text)}


def _messages(path: Path) -> Iterator[Message]:
    tree = ast.parse(path.read_text())
    reader = _Reader(tree)
    for call in (each for each in ast.walk(tree) if isinstance(each, ast.Call)):
        text = _text(call)
        if text is not None:
            found = (re.sub(r"\s+", " ", template) for template in reader.read(text))
            templates = tuple(sorted(template for template in found if re.search(r"\w", template)))
            yield Message(str(path.relative_to(ROOT)), call.lineno, ast.unparse(text), templates)


def _text(call: ast.Call) -> ast.expr | None:
    """What ``call`` says, if it says something that an operator may see."""
    match call.func:
        case ast.Attribute(value=ast.Name(id="log") | ast.Attribute(attr="log"), attr=name) if name in LEVELS:
            return call.args[name == "log"]
        case ast.Attribute(value=ast.Name(id="warnings"), attr="append"):
            return call.args[0]
        case ast.Name(id=name) | ast.Attribute(attr=name) if name in RAISED:
            return call.args[0]
        case ast.Name(id="print") if any(each.arg == "file" for each in call.keywords):
            return call.args[0]
    return None


class _Reader:
    """Reads the expression of a text; functions and constants of the same module may be named in it."""

    def __init__(self, tree: ast.Module) -> None:
        self._returned: Mapping[str, list[ast.expr]] = {
            function.name: [each.value for each in ast.walk(function) if isinstance(each, ast.Return) and each.value]
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef)
        }
        self._constants: Mapping[str, ast.expr] = {
            name.id: value
            for each in tree.body
            if isinstance(each, ast.Assign) and isinstance(value := each.value, ast.Constant)
            for name in each.targets
            if isinstance(name, ast.Name)
        }

    def read(self, text: ast.expr) -> set[str]:
        """All that it may come to."""
        found: set[str] = set()
        match text:
            case ast.Constant(value=str(said)):
                found = {re.sub(r"%[a-z]", GAP, said)}
            case ast.JoinedStr(values=parts):
                found = {"".join(self._part(part) for part in parts)}
            case ast.IfExp(body=first, orelse=second):
                found = self.read(first) | self.read(second)
            case ast.Call(func=ast.Attribute(attr="join"), args=[ast.List(elts=[first, *_])]):
                found = {f"{template} {GAP}" for template in self.read(first)}
            case ast.Call(func=ast.Attribute(attr="join"), args=[ast.GeneratorExp(elt=each)]):
                found = self.read(each)
            case ast.Call(func=ast.Name(id=name)):
                found = found.union(*(self.read(value) for value in self._returned.get(name, ())))
        return found

    def _part(self, part: ast.expr) -> str:
        match part:
            case ast.Constant(value=str(said)):
                return said
            case ast.FormattedValue(value=ast.Name(id=name)) if name in self._constants:
                return self._part(self._constants[name])
        return GAP
