"""Checks a request against the limits of its fields, and says what is wrong in AWS's words.

The limits are data (``request_fields.py``). All violations of a request are in one ValidationException,
as "N validation errors detected: Value '…' at '…' failed to satisfy constraint: …; …".
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from asl_engine.errors import ApiError
from asl_engine.jsontext import Json
from asl_engine.server.api_errors import validation_error


@dataclass(frozen=True, slots=True)
class Text:
    """A text: its length in characters, its pattern, the values it may have."""

    required: bool = False
    min: int = 0
    max: int | None = None
    pattern: str | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Number:
    """A number between two others; ``real`` ones may have a fraction."""

    required: bool = False
    min: float | None = None
    max: float | None = None
    real: bool = False


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    required: bool = False


@dataclass(frozen=True, slots=True)
class Items:
    """A list of things of one shape."""

    member: "FieldShape"
    required: bool = False
    min: int = 0
    max: int | None = None


@dataclass(frozen=True, slots=True)
class Structure:
    """Named fields. ``name`` is the API's name of the shape, which AWS prints."""

    name: str
    fields: Mapping[str, "FieldShape"]
    required: bool = False


type FieldShape = Text | Number | Flag | Items | Structure

_JSON_TYPES: dict[type[Any], tuple[type[Any], ...]] = {
    Text: (str,),
    Number: (int, float),
    Flag: (bool,),
    Items: (list,),
    Structure: (dict,),
}
_NAMES_OF_TYPES = {Text: "String", Number: "Number", Flag: "Boolean", Items: "List", Structure: "Structure"}


def check_request(fields: Mapping[str, FieldShape], arguments: Mapping[str, Json]) -> None:
    """Raise one ValidationException for all fields that break their limits, SerializationException for a wrong type."""
    problems = list(_problems_of_fields(fields, arguments, ""))
    if problems:
        head = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected: "
        raise validation_error(head + "; ".join(problems))


def _problems_of_fields(fields: Mapping[str, FieldShape], value: Mapping[str, Json], at: str) -> Iterator[str]:
    for name, shape in fields.items():
        yield from _problems(shape, value.get(name), f"{at}.{name}" if at else name)


def _problems(shape: FieldShape, value: Json, at: str) -> Iterator[str]:
    if value is None:
        if shape.required:
            yield f"Value null at '{at}' failed to satisfy constraint: Member must not be null"
        return
    _check_type(shape, value)
    for constraint in _broken(shape, value):
        yield f"Value '{_shown(shape, value)}' at '{at}' failed to satisfy constraint: Member must {constraint}"
    if isinstance(shape, Structure):
        yield from _problems_of_fields(shape.fields, value, at)
    elif isinstance(shape, Items):
        for number, member in enumerate(value, start=1):
            yield from _problems(shape.member, member, f"{at}.{number}.member")


def _check_type(shape: FieldShape, value: Json) -> None:
    kind = type(shape)
    right = isinstance(value, _JSON_TYPES[kind]) and (kind is Flag or not isinstance(value, bool))
    if not right or (isinstance(shape, Number) and isinstance(value, float) and not shape.real):
        name = type(value).__name__.upper()
        raise ApiError("SerializationException", f"{name}_VALUE can not be converted to a {_NAMES_OF_TYPES[kind]}")


def _broken(shape: FieldShape, value: Json) -> Iterator[str]:
    if isinstance(shape, Number):
        yield from _outside(shape.min, shape.max, value, "value")
    elif isinstance(shape, Text | Items):
        yield from _outside(shape.min, shape.max, len(value), "length")
    if isinstance(shape, Text):
        if shape.pattern and not re.fullmatch(shape.pattern, value, re.ASCII):
            yield f"satisfy regular expression pattern: {shape.pattern}"
        if shape.values and value not in shape.values:
            yield f"satisfy enum value set: [{', '.join(shape.values)}]"


def _outside(least: float | None, most: float | None, measure: float, what: str) -> Iterator[str]:
    if least is not None and measure < least:
        yield f"have {what} greater than or equal to {least}"
    if most is not None and measure > most:
        yield f"have {what} less than or equal to {most}"


def _shown(shape: FieldShape, value: Json) -> str:
    """Return a value as AWS prints it: the toString of its Java objects."""
    if isinstance(shape, Items):
        return "[" + ", ".join(_shown(shape.member, member) for member in value) + "]"
    if isinstance(shape, Structure):
        shown = (f"{name}={_shown(shape.fields[name], value[name])}" for name in shape.fields if name in value)
        return f"{shape.name}({', '.join(shown)})"
    return str(value).lower() if isinstance(value, bool) else str(value)
