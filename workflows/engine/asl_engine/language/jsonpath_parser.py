"""Reads a JSONPath: the dialect of Step Functions, which is that of Jayway's library.

https://docs.aws.amazon.com/step-functions/latest/dg/amazon-states-language-paths.html
"""

import re
from dataclasses import dataclass
from enum import Enum

from asl_engine.language.jsonpath_filter import read_filter
from asl_engine.language.jsonpath_steps import (
    DESCEND,
    EVERY,
    FUNCTIONS,
    PathStep,
    element,
    elements,
    elements_between,
    function,
    matching,
    member,
    members,
)
from asl_engine.language.reader import Reader

_NAME = re.compile(r"[^\s.\[\]()'\",?@*]+")
_NAME_IN_FILTER = re.compile(r"[^\s.\[\]()'\",?@*=<>!~&|]+")
_VARIABLE = re.compile(r"[^\W\d]\w*")
_QUOTED = re.compile(r"""\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\s*""", re.DOTALL)
_INDICES = re.compile(r"\s*(-?\d+)\s*((?:,\s*-?\d+\s*)*)\]")
_SLICE = re.compile(r"\s*(-?\d+)?\s*:\s*(-?\d+)?\s*\]")
_STAR = re.compile(r"\s*\*\s*\]")
_QUESTION = re.compile(r"\s*\?\s*")
_CALL = re.compile(r"([A-Za-z]+)\(\s*\)")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class Root(Enum):
    """Where a path begins."""

    INPUT = "$"
    CONTEXT = "$$"
    VARIABLE = "$name"


@dataclass(frozen=True, slots=True)
class ParsedPath:
    """A path. ``variable`` is the name of the variable it begins at, if it does."""

    root: Root
    steps: tuple[PathStep, ...]
    variable: str = ""


def parse_path(text: str) -> ParsedPath:
    """Return the parts of a path. Raises ExpressionMalformed."""
    reader = Reader(text)
    path = read_path(reader)
    reader.end()
    return path


def read_path(reader: Reader) -> ParsedPath:
    """Read a path as far as it goes: it may be an argument, with more behind it."""
    reader.expect("$")
    if reader.skip("$"):
        return ParsedPath(Root.CONTEXT, read_steps(reader))
    variable = reader.take(_VARIABLE)
    if variable is None:
        return ParsedPath(Root.INPUT, read_steps(reader))
    return ParsedPath(Root.VARIABLE, read_steps(reader), variable[0])


def read_steps(reader: Reader, name: re.Pattern[str] = _NAME) -> tuple[PathStep, ...]:
    """Read the steps behind a root, as far as there are any."""
    steps: list[PathStep] = []
    while reader.text.startswith((".", "["), reader.at):
        if reader.skip(".."):
            steps.append(DESCEND)
        else:
            reader.skip(".")
        steps.append(_read_bracket(reader) if reader.skip("[") else _read_name(reader, name))
    return tuple(steps)


def _read_name(reader: Reader, pattern: re.Pattern[str]) -> PathStep:
    if reader.skip("*"):
        return EVERY
    call = reader.take(_CALL)
    if call is not None:
        if call[1] not in FUNCTIONS:
            reader.fail(f"there is no function {call[1]}(), but {', '.join(FUNCTIONS)}")
        return function(FUNCTIONS[call[1]])
    name = reader.take(pattern)
    if name is None:
        reader.fail("a name was expected")
    return member(name[0])


def _read_bracket(reader: Reader) -> PathStep:
    if reader.take(_STAR):
        return EVERY
    if reader.take(_QUESTION):
        holds = read_filter(reader, lambda inner: read_steps(inner, _NAME_IN_FILTER))
        reader.space()
        reader.expect("]")
        return matching(holds)
    bounds = reader.take(_SLICE)
    if bounds is not None:
        return elements_between(*(None if bound is None else int(bound) for bound in bounds.groups()))
    indices = reader.take(_INDICES)
    if indices is not None:
        numbers = tuple(int(index) for index in f"{indices[1]}{indices[2]}".split(","))
        return element(numbers[0]) if len(numbers) == 1 else elements(numbers)
    return _read_quoted_names(reader)


def _read_quoted_names(reader: Reader) -> PathStep:
    names = [_read_quoted(reader)]
    while reader.skip(","):
        names.append(_read_quoted(reader))
    reader.expect("]")
    return member(names[0]) if len(names) == 1 else members(tuple(names))


def _read_quoted(reader: Reader) -> str:
    match = reader.take(_QUOTED)
    if match is None:
        reader.fail("an index, a slice, *, a filter or a name in quotes was expected")
    return _ESCAPE.sub(r"\1", match[1] if match[1] is not None else match[2])
