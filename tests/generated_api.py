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
    said = []
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            text = " ".join(_sentences(operation))
            lines = wrap(text, WIDTH, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)
            said.append("\n".join([f"``{method.upper()} {path}`` ({operation['tags'][0]})", *lines]))
    return "\n\n".join(said)


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
    """A table of the members of each answer."""
    schemas, parts, shown = _schemas(), [], dict[str, Shape]()
    for name, shape in schemas.items():
        if name in _bodies():
            continue
        base = next((each for each in shown if shown[each].items() < shape["properties"].items()), None)
        rest = {key: value for key, value in shape["properties"].items() if base is None or key not in shown[base]}
        begin = f"All of {base}_, and:\n\n" if base else ""
        parts.append(_titled(name, begin + _fields({**shape, "properties": rest}, is_answer=True)))
        shown[name] = shape["properties"]
    return "\n\n".join(parts)


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


def _fields(shape: Shape, *, is_answer: bool = False) -> str:
    rows = list(_rows(shape, "", is_answer))
    if len(rows) == 1:
        [(name, meaning)] = rows
        return f"{name}: {meaning}"
    return table(("member" if is_answer else "field", "meaning (values)"), rows)


def _rows(shape: Shape, prefix: str, is_answer: bool) -> Iterator[tuple[str, str]]:
    required = shape.get("required", ())
    for name, each in shape["properties"].items():
        inner = each.get("items", each)
        takes = _takes(each)
        if is_answer:
            takes += "" if name in required else "; may be missing"
        else:
            takes += "; required" if name in required else ""
        said = _text(each.get("description", "")).removesuffix("In ETH, exact.").strip()
        yield f"``{prefix}{name}``", f"{said} ({takes})" if said else takes
        if "properties" in inner:
            yield from _rows(inner, f"{prefix}{name}{'[]' if inner is not each else ''}.", is_answer)


def _takes(shape: Shape) -> str:
    """What values it has, in a few words."""
    if "$ref" in shape:
        return f"{shape['$ref'].rsplit('/', 1)[-1]}_"
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


def _text(said: str) -> str:
    """Markdown's code as reStructuredText's."""
    return re.sub(r"`([^`]+)`", r"``\1``", said.strip())
