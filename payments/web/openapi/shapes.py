"""JSON Schema of Python types and of records, with descriptions from their docstrings."""

import re
from collections.abc import Mapping
from inspect import cleandoc
from typing import Any, Literal, TypeAlias, get_args, get_origin

from payments.domain.units import Unit, record_fields, without_none

Shape: TypeAlias = dict[str, Any]

_BASIC: Mapping[Any, Shape] = {
    str: {"type": "string"},
    int: {"type": "integer", "minimum": 0},
    float: {"type": "number"},
    bool: {"type": "boolean"},
}


def shape_of(kind: Any, about: str = "", **more: Any) -> Shape:
    """JSON Schema of type ``kind``; ``about`` is put before the type's own description."""
    shape = {**_shape(kind), **more}
    description = " ".join(filter(None, [about, shape.get("description")]))
    return {**shape, "description": description} if description else shape


def members_of(kind: type) -> dict[str, Shape]:
    """JSON Schema of each member of the record ``kind``, described by "Attributes" in its docstring."""
    shown = record_fields(kind)
    names = {"None": "null", **{each.name: each.shown_name for each in shown}}
    _, _, attributes = cleandoc(kind.__doc__ or "").partition("Attributes:\n")
    about = {}
    for name, text in re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", attributes, re.MULTILINE):
        description = re.sub("``(.*?)``", lambda quoted: f"`{names.get(quoted[1], quoted[1])}`", " ".join(text.split()))
        about[name] = description[0].upper() + description[1:]
    return {each.shown_name: shape_of(each.kind, about.get(each.name, "")) for each in shown}


def _shape(kind: Any) -> Shape:
    if kind in _BASIC:
        return _BASIC[kind]
    if (inner := without_none(kind)) is not None:
        shape = _shape(inner)
        words = {"enum": [*shape["enum"], None]} if "enum" in shape else {}
        return {**shape, "type": [shape["type"], "null"], **words}
    if get_origin(kind) is Literal:
        return {"type": "string", "enum": list(get_args(kind))}
    if get_origin(kind) is Mapping:
        key, value = map(_shape, get_args(kind))
        return {"type": "object", "propertyNames": key, "additionalProperties": value}
    inner, *annotations = get_args(kind)
    [unit] = [mark for mark in annotations if isinstance(mark, Unit)]
    return {**({} if unit.show else _shape(inner)), **unit.schema}
