"""The parts of the documents that are generated from the code; ``tests/readme.py`` puts them in their places."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import fields
from textwrap import wrap

import click

from payments.cli.app import main
from payments.configuration import Configuration
from payments.edge.gateway.metrics import GatewayCollector, Meters
from payments.edge.reporter import Status

WIDTH = 120
_FIXED_SPACE = "\N{NO-BREAK SPACE}"


def settings(of: type[Configuration]) -> str:
    """The settings as a table: name, default, meaning and values."""
    rows = []
    for each in fields(of):
        name, default, meaning, takes = (each.metadata[key] for key in ("name", "default", "meaning", "takes"))
        rows.append((f"``{name}``", f"``{default}``" if default else "not set", f"{meaning} ({takes})"))
    return table(("setting", "default", "meaning (values)"), rows)


def metrics() -> str:
    """A gateway's metrics as a table: name, labels, meaning."""
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
    return table(("metric", "labels", "meaning"), rows)


def commands() -> str:
    """The commands as a definition list: usage, answer, options."""
    said = []
    for command, context in _leaves(main, click.Context(main, info_name="payments")):
        text = " ".join([_answer(command), *_options(command, context)])
        lines = wrap(text, WIDTH, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)
        said.append("\n".join([f"``{_usage(command, context)}``", *lines]).replace(_FIXED_SPACE, " "))
    return "\n\n".join(said)


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A simple table; the last column is wrapped."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head) - 1)]
    room = WIDTH - sum(widths) - len(widths)
    wrapped = [wrap(row[-1], room, break_on_hyphens=False) or [""] for row in [head, *rows]]
    ruler = " ".join("=" * width for width in (*widths, max(len(line) for lines in wrapped for line in lines)))
    lines = [ruler]
    for row, (first, *more) in zip([head, *rows], wrapped, strict=True):
        lines.append(_line((*row[:-1], first), widths))
        lines += [_line((*("" for _ in widths), text), widths) for text in more]
        if row is head:
            lines.append(ruler)
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
            meaning = re.sub(r"(?<!\.)\.$", "", each.help or "")
            name = _option(each, context).replace(" ", _FIXED_SPACE)
            yield f"``{name}``: {meaning}{default}."


def _option(option: click.Parameter, context: click.Context) -> str:
    name = max(option.opts, key=len)
    if isinstance(option, click.Option) and option.is_flag:
        return name
    kind = option.type
    return f"{name} {'N' if isinstance(kind, click.IntRange) else option.make_metavar(context).strip('[]')}"


def _is_json(parameter: click.Parameter) -> bool:
    return "--json" in parameter.opts
