"""The API's calls, requests, answers and problems, generated from its OpenAPI document."""

import re
from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any

from payments.web.openapi.document import document
from payments.web.problems import KINDS
from tests.generated import WIDTH, table

Shape = Mapping[str, Any]

_COMMON = {"malformed", "internal", "unauthenticated", "forbidden", "too-large", "unsupported-media-type", "invalid"}
_FORMATS = {"date-time": "time", "date": "date", "uri": "URL"}


def calls() -> str:
    """Every call as a definition: method, path and role; then summary, body, query, answer and problems."""
    definitions = []
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            text = " ".join(_sentences(operation))
            lines = wrap(text, WIDTH, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)
            definitions.append("\n".join([f"``{method.upper()} {path}`` ({operation['tags'][0]})", *lines]))
    return "\n\n".join(definitions)


def requests() -> str:
    """A table of the fields of each body, and one of all query parameters."""
    parameters = dict[str, Shape]()
    for operation in _operations():
        for each in operation["parameters"]:
            if each["in"] == "query":
                parameters.setdefault(each["name"], {**each["schema"], "description": each.get("description", "")})
    parts = [_titled(name, _fields(_schemas()[name])) for name in sorted(_bodies())]
    return "\n\n".join([*parts, _titled("Query parameters", _fields({"properties": parameters}))])


def answers() -> str:
    """A table of the answers, a line each. Their members are in ``/openapi.json`` and ``/docs``."""
    rows = [(f"``{name}``", _text(each["description"])) for name, each in _schemas().items() if name not in _bodies()]
    return table(("answer", "what it is"), rows)


def problems() -> str:
    """The kinds of problem as a table: type, status, title."""
    rows = [(f"``{name}``", str(kind.status), kind.title) for name, kind in KINDS.items()]
    return table(("type", "status", "title"), rows)


def _sentences(operation: Shape) -> Iterator[str]:
    yield _text(operation["summary"])
    if "requestBody" in operation:
        yield f"Body: {_takes(operation['requestBody']['content']['application/json']['schema'])}."
    if query := [each["name"] for each in operation["parameters"] if each["in"] == "query"]:
        yield f"Query: {', '.join(f'``{name}``' for name in query)}."
    [(media, content)] = operation["responses"]["200"]["content"].items()
    answer = _takes(content["schema"]) if "$ref" in content["schema"] else f"``{media.partition(';')[0]}``"
    yield f"Answer: {answer}{' (201 if it is new)' if '201' in operation['responses'] else ''}."
    kinds = [each["$ref"].rsplit("/", 1)[-1] for each in operation["responses"].values() if "$ref" in each]
    if special := [kind for kind in kinds if kind not in _COMMON]:
        yield f"Problems: {', '.join(f'``{kind}``' for kind in special)}."


def _operations() -> Iterator[Shape]:
    for methods in document()["paths"].values():
        yield from methods.values()


def _bodies() -> set[str]:
    """The names of the schemas of requests."""
    bodies = [each["requestBody"] for each in _operations() if "requestBody" in each]
    return {name for body in bodies for name in re.findall(r"schemas/(\w+)", str(body))}


def _schemas() -> dict[str, Shape]:
    found: dict[str, Shape] = document()["components"]["schemas"]
    return found


def _titled(title: str, text: str) -> str:
    return f"{title}\n{'~' * len(title)}\n\n{text}"


def _fields(shape: Shape) -> str:
    required = shape.get("required", ())
    rows = []
    for name, each in shape["properties"].items():
        takes = f"{_takes(each)}{'; required' if name in required else ''}"
        meaning = _text(each.get("description", ""))
        rows.append((f"``{name}``", f"{meaning} ({takes})" if meaning else takes))
    return table(("field", "meaning (values)"), rows)


def _takes(shape: Shape) -> str:
    """What values it has, in a few words."""
    if "$ref" in shape:
        name = shape["$ref"].rsplit("/", 1)[-1]
        return f"{name}_" if name in _bodies() else f"``{name}``"
    kinds = [shape["type"]] if isinstance(shape.get("type"), str) else list(shape.get("type", ()))
    null = "; or null" if "null" in kinds else ""
    if shape.get("type") == "array":
        most = f"up to {shape['maxItems']:,} of " if "maxItems" in shape else ""
        return f"list of {most}{_takes(shape['items'])}"
    if "anyOf" in shape:
        named = [_takes(each) for each in shape["anyOf"] if each]
        return ("IP address" if "format" in shape["anyOf"][0] else " or ".join(named)) + null
    if "enum" in shape:
        values = ["true", "false"] if "true" in shape["enum"] else shape["enum"]
        return ", ".join(f"``{value}``" for value in values if value is not None) + null + _default(shape)
    if "ETH" in shape.get("description", "") and "string" in kinds:
        return f"ETH{null}"
    kind = _FORMATS.get(shape.get("format", ""), next((each for each in kinds if each != "null"), "any"))
    return f"{kind}{_bounds(shape)}{null}{_default(shape)}"


def _bounds(shape: Shape) -> str:
    for least, most, unit in (("minimum", "maximum", ""), ("minLength", "maxLength", " characters")):
        low, high = shape.get(least), shape.get(most)
        if high is not None:
            return f", {low or 0} to {high}{unit}" if low is not None else f", up to {high}{unit}"
        if low is not None:
            return f", {low} or more{unit}"
    return ""


def _default(shape: Shape) -> str:
    return f"; default ``{shape['default']}``" if shape.get("default") is not None else ""


def _text(markdown: str) -> str:
    """Convert code spans from Markdown to reStructuredText."""
    return re.sub(r"`([^`]+)`", r"``\1``", markdown.strip())
