"""All messages of Payments about problems, read from its source as templates.

A template is the text with ``…`` for each value. Messages are log calls of level warning and above, exceptions that
stop a start, a call or a command, and the output of a failed start.
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
    """A message at one place of the source.

    Attributes:
        path: the file, from the root of the tree.
        templates: possible values of the expression; empty if the words come from elsewhere.
    """

    path: str
    templates: tuple[str, ...]


def messages() -> list[Message]:
    """All messages, in order of the source."""
    files = [each for name in SOURCES for each in sorted((ROOT / name).rglob("*.py")) or [ROOT / name]]
    return [message for path in files for message in _messages(path)]


def templates_in(path: Path) -> set[str]:
    """All strings in the source at ``path``, as templates."""
    tree = ast.parse(path.read_text())
    reader = _Reader(tree)
    texts = [each for each in ast.walk(tree) if isinstance(each, ast.Constant | ast.JoinedStr)]
    pieces = {id(part) for text in texts if isinstance(text, ast.JoinedStr) for part in text.values}
    return {template for text in texts if id(text) not in pieces for template in reader.read(text)}


def _messages(path: Path) -> Iterator[Message]:
    tree = ast.parse(path.read_text())
    reader = _Reader(tree)
    for call in (each for each in ast.walk(tree) if isinstance(each, ast.Call)):
        text = _text(call)
        if text is not None:
            found = (re.sub(r"\s+", " ", template) for template in reader.read(text))
            templates = tuple(sorted(template for template in found if re.search(r"\w", template)))
            yield Message(str(path.relative_to(ROOT)), templates)


def _text(call: ast.Call) -> ast.expr | None:
    """The message of ``call``, if an operator may see it."""
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
    """Evaluates a text expression, with functions and constants of its module."""

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
        """All possible values."""
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
