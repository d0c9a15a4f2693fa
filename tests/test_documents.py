"""The documents: valid reStructuredText, linked with each other, and true of the tree that they describe."""

import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from posixpath import normpath

import click
import pytest
from docutils import nodes
from docutils.core import publish_doctree

from payments.cli.app import main
from tests.harness import ROOT
from tests.readme import documents

DOCUMENTS = documents()
PRESENT = [path for path in DOCUMENTS if path != "tests/bench/RESULTS.rst"]
"""Documents about the tree as it is now; RESULTS.rst is about the past."""

README_BYTES = 8192
FOLDERS = ("payments", "worker", "tests", "deploy", ".github")
OTHERS = {"check.py", "nginx.conf"}
"""Files that a reader makes, or that another program has."""


@cache
def tree(document: str) -> tuple[nodes.document, str]:
    """What docutils reads, and what it complains of."""
    complaints = StringIO()
    settings = {"report_level": 2, "halt_level": 5, "warning_stream": complaints, "syntax_highlight": "none"}
    parsed = publish_doctree(
        (ROOT / document).read_text(), source_path=document, settings_overrides={**settings, "_disable_config": True}
    )
    return parsed, complaints.getvalue()


def anchors(document: str) -> set[str]:
    return {name for each in tree(document)[0].findall(nodes.section) for name in each["ids"]}


def links(document: str) -> Iterator[tuple[str, str]]:
    """The files and anchors that a document links to; an empty path is the document itself."""
    for each in tree(document)[0].findall(nodes.reference):
        uri = each.get("refuri", "")
        if uri and not re.match(r"[a-z]+:", uri):
            path, _, anchor = uri.partition("#")
            yield normpath(f"{Path(document).parent}/{path}") if path else document, anchor


def literals(document: str) -> list[str]:
    """Words and blocks that are set as code."""
    parsed = tree(document)[0]
    return [each.astext() for kind in (nodes.literal, nodes.literal_block) for each in parsed.findall(kind)]


def words(document: str) -> set[str]:
    """The words of the code in a document, without quotes and punctuation around them."""
    return {word.strip("'\"`,;:()[]{}") for text in literals(document) for word in text.split()}


@cache
def sources() -> str:
    """The text of what names settings: code, scripts and examples."""
    paths = [
        path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in {".py", ".sh", ".yaml"}
    ]
    return "".join(path.read_text() for path in [*paths, ROOT / "wsgi.py"] if "node_modules" not in path.parts)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_document_is_valid(document: str) -> None:
    assert tree(document)[1] == ""


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    found = list(links(document))
    assert [path for path, _ in found if not (ROOT / path).exists()] == []
    assert [
        f"{path}#{anchor}" for path, anchor in found if anchor and path in DOCUMENTS and anchor not in anchors(path)
    ] == []


def test_every_document_is_reached_from_the_readme() -> None:
    reached, new = set[str](), {"README.rst"}
    while new:
        reached |= new
        new = {path for document in new for path, _ in links(document) if path in DOCUMENTS} - reached
    assert sorted(set(DOCUMENTS) - reached) == [], "link it from README.rst, or from a guide that is"


def test_readme_is_a_front_page() -> None:
    assert (ROOT / "README.rst").stat().st_size <= README_BYTES


@pytest.mark.parametrize("document", PRESENT)
def test_lines_are_short(document: str) -> None:
    assert [line for line in (ROOT / document).read_text().splitlines() if len(line) > 120] == []


@pytest.mark.parametrize("document", PRESENT)
def test_files_named_exist(document: str) -> None:
    here = (ROOT / document).parent
    missing = []
    for word in words(document) - OTHERS:
        name = word.partition("::")[0].rstrip("/.")
        if re.fullmatch(rf"({'|'.join(map(re.escape, FOLDERS))})/[\w./*-]+", name):
            is_there = any(ROOT.glob(name))
        elif re.fullmatch(r"[\w-]+\.(py|sh|rst|yml|conf|cfg)", name):
            is_there = any((folder / name).exists() for folder in (here, ROOT)) or any(ROOT.glob(f"[a-z]*/**/{name}"))
        else:
            continue
        if not is_there:
            missing.append(word)
    assert missing == []


@pytest.mark.parametrize("document", PRESENT)
def test_modules_named_exist(document: str) -> None:
    run = {name for text in literals(document) for name in re.findall(r"python -m ([\w.]+)", text)}
    named = {word for word in words(document) if re.fullmatch(r"(payments|tests)(\.\w+)+", word)}
    names = {name for name in run | named if not name.endswith(".conf") and name != "venv"}
    assert [name for name in sorted(names) if not _exists(name)] == []


@pytest.mark.parametrize("document", PRESENT)
def test_settings_named_exist(document: str) -> None:
    text = (ROOT / document).read_text()
    names = set(re.findall(r"\b(?:PAYMENTS|PS_GATEWAY)_[A-Z_]*[A-Z]\b", text))
    assert [name for name in sorted(names) if not re.search(rf"\b{_bare(name)}\b", sources())] == []


@pytest.mark.parametrize("document", PRESENT)
def test_commands_named_exist(document: str) -> None:
    calls = [
        call
        for text in literals(document)
        for call in re.findall(r"(?m)(?:^ *|bin/|api )payments((?: --?[a-z][\w-]*| [a-z][a-z-]*\b)+)", text)
    ]
    assert [call for call in calls if not _is_command(call.split())] == []


def _exists(name: str) -> bool:
    """Whether there is a module of that name, or something in one."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            spec = find_spec(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        if spec is not None:
            source = Path(spec.origin).read_text() if spec.origin else ""
            return count == len(parts) or re.search(rf"\b{parts[count]}\b", source) is not None
    return False


def _bare(name: str) -> str:
    """How a setting's declaration names it: without its prefix where that is added."""
    return f"(?:{name}|{name.removeprefix('PAYMENTS_').removeprefix('PS_GATEWAY_')})"


def _is_command(arguments: list[str]) -> bool:
    """Whether they name a command, as far as they are words and not values; options must be its own."""
    command: click.Command = main
    options = {name for each in command.params for name in each.opts}
    for argument in arguments:
        if argument.startswith("-"):
            if argument not in {*options, "-h", "--help", "--version"}:
                return False
        elif isinstance(command, click.Group):
            if argument not in command.commands:
                return False
            command = command.commands[argument]
            options |= {name for each in command.params for name in each.opts}
    return True
