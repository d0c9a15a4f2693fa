"""README.rst for tests, and the parts of it that are made from the code: ``python -m tests.readme`` writes them anew.

Each of those stands between two comments, ``.. made from <what>`` and ``.. end``, and is never edited by hand. The code
says what there is to say: the settings' own declarations, the commands' own help.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from textwrap import dedent, wrap

import click

from payments.cli.app import main
from payments.configuration import Configuration
from payments.edge.gateway.metrics import GatewayCollector, Meters
from payments.edge.reporter import Status
from payments.edge.settings import EdgeSettings
from payments.settings import Settings
from tests.harness import ROOT

README = ROOT / "README.rst"

_WIDTH = 120
_FIXED_SPACE = "\N{NO-BREAK SPACE}"


def settings(of: type[Configuration]) -> str:
    """The settings as a table: name, default, what it does and takes."""
    rows = []
    for each in fields(of):
        name, default, meaning, takes = (each.metadata[key] for key in ("name", "default", "meaning", "takes"))
        rows.append((f"``{name}``", f"``{default}``" if default else "not set", f"{meaning} ({takes})"))
    return _table(("setting", "default", "what it does (what it takes)"), rows)


def metrics() -> str:
    """What a gateway shows to Prometheus, as a table: name with its labels, and what it says."""
    status = Status(0, 0, 0, 0, 0, 0, None, 0, None)
    meters = Meters()
    GatewayCollector(meters, lambda: status, lambda: True)
    rows = []
    for family in meters.registry.collect():
        if family.name.startswith("process_"):
            continue
        labels = sorted({name for sample in family.samples for name in sample.labels if name != "le"})
        name = family.name + ("_total" if family.type == "counter" else "")
        rows.append((f"``{name}``", ", ".join(f"``{label}``" for label in labels), family.documentation))
    return _table(("metric", "labels", "what it says"), rows)


def commands() -> str:
    """The commands as a list of definitions: how each is called, what it answers, its options."""
    said = []
    for command, context in _leaves(main, click.Context(main, info_name="payments")):
        text = " ".join([_answer(command), *_options(command, context)])
        lines = wrap(text, _WIDTH, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)
        said.append("\n".join([f"``{_usage(command, context)}``", *lines]).replace(_FIXED_SPACE, " "))
    return "\n\n".join(said)


PARTS: dict[str, Callable[[], str]] = {
    "payments/edge/gateway/metrics.py": metrics,
    "payments/edge/settings.py": lambda: settings(EdgeSettings),
    "payments/settings.py": lambda: settings(Settings),
    "payments/cli": commands,
}


def filled(text: str) -> str:
    """``text``, a README, with every part made anew. Raises ``ValueError`` where one has no place in it."""
    for source, make in PARTS.items():
        begin, end = f".. made from {source} by python -m tests.readme\n\n", "\n\n.. end\n"
        if text.count(begin) != 1:
            raise ValueError(f"no place, or more than one, for what is made from {source}")
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}{make()}{rest[rest.index(end) :]}"
    return text


def section(title: str) -> str:
    """What README.rst says under ``title``."""
    text = README.read_text()
    begin = text.index(f"\n{title}\n{'-' * len(title)}\n") + 2 * len(title) + 3
    following = re.compile(r"\n[^\n]+\n-{4,}\n").search(text, begin)
    return text[begin : following.start() if following else None]


def script(title: str, name: str) -> str:
    """The commands under ``title`` that begin with the comment ``name``, for a shell, up to the end of their block."""
    block = re.search(rf"^    # {re.escape(name)}\n(?:    .*\n|\n(?=    ))*", section(title), re.MULTILINE)
    assert block is not None, name
    return dedent(block[0])


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A simple table; what stands in the last column is wrapped."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head) - 1)]
    last = _WIDTH - sum(widths) - len(widths)
    ruler = " ".join("=" * width for width in (*widths, last))
    lines = [ruler, _line(head, widths), ruler]
    for row in rows:
        first, *more = wrap(row[-1], last, break_on_hyphens=False)
        lines.append(_line((*row[:-1], first), widths))
        lines += [_line((*("" for _ in widths), text), widths) for text in more]
    return "\n".join([*lines, ruler])


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    return " ".join([*(cell.ljust(width) for cell, width in zip(cells, widths, strict=False)), cells[-1]]).rstrip()


def _leaves(command: click.Command, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """Every command that is not a mere group of them, in the order of the help."""
    if not isinstance(command, click.Group):
        yield command, context
        return
    for name in command.list_commands(context):
        each = command.commands[name]
        yield from _leaves(each, click.Context(each, info_name=name, parent=context))


def _usage(command: click.Command, context: click.Context) -> str:
    """How it is called: its name, arguments, required options, and whether it takes ``--json``."""
    words = [context.command_path.removeprefix("payments ")]
    for each in command.params:
        if isinstance(each, click.Argument):
            words.append(each.make_metavar(context))
        elif each.required:
            words.append(_option(each, context))
    return " ".join([*words, "[--json]"] if any(_is_json(each) for each in command.params) else words)


def _answer(command: click.Command) -> str:
    """The first sentence of its help."""
    first = " ".join((command.help or "").partition("\n\n")[0].split())
    sentence = re.match(r".*?\.(?= [A-Z]|$)", first)
    assert sentence is not None, command.name
    return sentence[0].replace("*", "\\*")


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    """What there is to say of each option but ``--json``."""
    for each in command.params:
        if isinstance(each, click.Option) and not _is_json(each):
            default = f" ({each.default} unless given)" if each.show_default else ""
            said = re.sub(r"(?<!\.)\.$", "", each.help or "")
            name = _option(each, context).replace(" ", _FIXED_SPACE)
            yield f"``{name}``: {said[0].lower()}{said[1:]}{default}."


def _option(option: click.Parameter, context: click.Context) -> str:
    name = max(option.opts, key=len)
    if isinstance(option, click.Option) and option.is_flag:
        return name
    kind = option.type
    return f"{name} {'N' if isinstance(kind, click.IntRange) else option.make_metavar(context).strip('[]')}"


def _is_json(parameter: click.Parameter) -> bool:
    return "--json" in parameter.opts


if __name__ == "__main__":
    README.write_text(filled(README.read_text()))
