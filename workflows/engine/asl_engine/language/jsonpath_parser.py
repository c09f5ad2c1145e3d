"""Parser of JSONPath in the dialect of Step Functions, which is that of Jayway's library.

https://docs.aws.amazon.com/step-functions/latest/dg/amazon-states-language-paths.html
"""

import operator
import re
from collections.abc import Callable
from typing import NamedTuple

from asl_engine.jsontext import Json, loads
from asl_engine.language.jsonpath_steps import (
    DESCEND,
    EVERY,
    FUNCTIONS,
    PathStep,
    Predicate,
    elements,
    gathering,
    is_number,
    matching,
    members,
    same,
    walk,
)
from asl_engine.language.reader import Reader

type Operand = Callable[[Json, Json], list[Json]]  # returns a list of one value, or none

_NAME = re.compile(r"[^\s.\[\]()'\",?@*]+")
_NAME_IN_FILTER = re.compile(r"[^\s.\[\]()'\",?@*=<>!~&|]+")
_VARIABLE = re.compile(r"[^\W\d]\w*")
_QUOTED = re.compile(r"""\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\s*""", re.DOTALL)
_INDICES = re.compile(r"\s*(-?\d+)\s*((?:,\s*-?\d+\s*)*)\]")
_SLICE = re.compile(r"\s*(-?\d+)?\s*:\s*(-?\d+)?\s*\]")
_END = re.compile(r"\s*\Z")  # AWS accepts blanks there
_STAR = re.compile(r"\s*\*\s*\]")
_QUESTION = re.compile(r"\s*\?\s*")
_CALL = re.compile(r"([A-Za-z]+)\(\s*\)")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_LITERAL = re.compile(
    r"""(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
    r"""|(?P<json>true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)""",
    re.DOTALL,
)
_REGEX = re.compile(r"/((?:[^/\\]|\\.)+)/([imsx]*)", re.DOTALL)
_LIST = re.compile(r"\[([^\]]*)\]")
_WORD = re.compile(r"[A-Za-z_][\w-]*")
_OPERATOR = re.compile(r"==|!=|<=|>=|<|>|=~|(?:in|nin|contains|size|empty|subsetof|anyof|noneof)\b")


class ParsedPath(NamedTuple):
    """A path; ``root`` is "$" (the input), "$$" (the context object) or a variable's name."""

    root: str
    steps: tuple[PathStep, ...]


def parse_path(text: str) -> ParsedPath:
    """Parse a path. Raises ExpressionMalformed."""
    reader = Reader(text)
    path = read_path(reader)
    reader.take(_END)
    reader.end()
    return path


def read_path(reader: Reader) -> ParsedPath:
    """Read a path at the start of the rest of a text."""
    reader.expect("$")
    variable = None if reader.text.startswith("$", reader.at) else reader.take(_VARIABLE)
    root = variable[0] if variable else "$$" if reader.skip("$") else "$"
    return ParsedPath(root, read_steps(reader))


def read_steps(reader: Reader, name: re.Pattern[str] = _NAME) -> tuple[PathStep, ...]:
    """Read the steps after a root."""
    steps: list[PathStep] = []
    while reader.text.startswith((".", "["), reader.at):
        if reader.skip(".."):
            steps.append(DESCEND)
        else:
            reader.skip(".")
        steps.append(_read_bracket(reader) if reader.skip("[") else _read_name(reader, name))
    if steps and steps[-1].gather is not None:
        steps[-1] = gathering(steps[-1].gather)
    return tuple(steps)


def _read_name(reader: Reader, pattern: re.Pattern[str]) -> PathStep:
    if reader.skip("*"):
        return EVERY
    call = reader.take(_CALL)
    if call is not None:
        if call[1] not in FUNCTIONS:
            reader.fail(f"unknown function {call[1]}(); write one of {', '.join(FUNCTIONS)}")
        aggregate = FUNCTIONS[call[1]]
        return PathStep(lambda node, _root: (aggregate(node),), aggregate=aggregate)
    name = reader.take(pattern)
    if name is None:
        reader.fail("a name was expected")
    return members(name[0])


def _read_bracket(reader: Reader) -> PathStep:
    if reader.take(_STAR):
        return EVERY
    if reader.take(_QUESTION):
        holds = _read_filter(reader)
        reader.space()
        reader.expect("]")
        return matching(holds)
    bounds = reader.take(_SLICE)
    if bounds is not None:
        part = slice(*(None if bound is None else int(bound) for bound in bounds.groups()))
        return PathStep(lambda node, _root: node[part] if isinstance(node, list) else ())
    indices = reader.take(_INDICES)
    if indices is not None:
        return elements(*(int(index) for index in f"{indices[1]}{indices[2]}".split(",")))
    return _read_quoted_names(reader)


def _read_quoted_names(reader: Reader) -> PathStep:
    names = [_read_quoted(reader)]
    while reader.skip(","):
        names.append(_read_quoted(reader))
    reader.expect("]")
    return members(*names)


def _read_quoted(reader: Reader) -> str:
    match = reader.take(_QUOTED)
    if match is None:
        reader.fail("an index, a slice, *, a filter or a name in quotes was expected")
    return match[1] if match[1] is not None else match[2]  # AWS's library keeps backslashes


# --- filters: [?(@.price < 10 && @.category == 'fiction')] ---


def _read_filter(reader: Reader) -> Predicate:
    parts = _joined(reader, "||", _read_conjunction)
    return parts[0] if len(parts) == 1 else lambda node, root: any(part(node, root) for part in parts)


def _read_conjunction(reader: Reader) -> Predicate:
    parts = _joined(reader, "&&", _read_term)
    return parts[0] if len(parts) == 1 else lambda node, root: all(part(node, root) for part in parts)


def _joined(reader: Reader, token: str, read: Callable[[Reader], Predicate]) -> list[Predicate]:
    parts = [read(reader)]
    reader.space()
    while reader.skip(token):
        parts.append(read(reader))
        reader.space()
    return parts


def _read_term(reader: Reader) -> Predicate:
    reader.space()
    if reader.skip("!"):
        inner = _read_term(reader)
        return lambda node, root: not inner(node, root)
    if reader.skip("("):
        inner = _read_filter(reader)
        reader.space()
        reader.expect(")")
        return inner
    return _read_comparison(reader)


def _read_comparison(reader: Reader) -> Predicate:
    left = _read_operand(reader)
    reader.space()
    found = reader.take(_OPERATOR)
    if found is None:
        return lambda node, root: bool(left(node, root))
    reader.space()
    if found[0] == "=~":
        return _read_match(reader, left)
    right, compare = _read_operand(reader, bare_words=True), _OPERATORS[found[0]]
    return lambda node, root: compare(left(node, root), right(node, root))


def _read_match(reader: Reader, left: Operand) -> Predicate:
    found = reader.take(_REGEX)
    if found is None:
        reader.fail("a regular expression between slashes was expected behind =~")
    flags = re.NOFLAG
    for letter in found[2]:
        flags |= re.RegexFlag[letter.upper()]
    try:
        pattern = re.compile(found[1], flags)
    except re.error as error:
        reader.fail(f"the regular expression is malformed: {error}")
    return lambda node, root: any(isinstance(text, str) and pattern.fullmatch(text) for text in left(node, root))


def _read_operand(reader: Reader, *, bare_words: bool = False) -> Operand:
    if reader.skip("@"):
        steps = read_steps(reader, _NAME_IN_FILTER)
        return lambda node, _root: _one(steps, node)
    if reader.skip("$"):
        steps = read_steps(reader, _NAME_IN_FILTER)
        return lambda _node, root: _one(steps, root)
    word = reader.take(_WORD) if bare_words and not _LITERAL.match(reader.text, reader.at) else None
    if word is not None:  # a text without quotes, as in AWS's library
        return lambda _node, _root: [word[0]]
    listed = reader.take(_LIST)
    constant = [_read_list(listed[1]) if listed is not None else _read_literal(reader)]
    return lambda _node, _root: constant


def _read_list(text: str) -> Json:
    inner = Reader(text)
    items: list[Json] = []
    inner.space()
    while inner.at < len(text):
        items.append(_read_literal(inner))
        inner.space()
        inner.skip(",")
        inner.space()
    return items


def _read_literal(reader: Reader) -> Json:
    found = reader.take(_LITERAL)
    if found is None:
        reader.fail("a path (@ or $), a number, a text in quotes, true, false or null was expected")
    if found["text"] is not None:
        return _ESCAPE.sub(r"\1", found["text"][1:-1])
    return loads(found["json"])


def _one(steps: tuple[PathStep, ...], node: Json) -> list[Json]:
    """Return the values of a filter's path, as a list of one value or none."""
    found = walk(steps, node)
    return found if all(step.key is not None for step in steps) or not found else [found]


def _ordered(compare: Callable[[Json, Json], bool]) -> Callable[[list[Json], list[Json]], bool]:
    def holds(left: list[Json], right: list[Json]) -> bool:
        if not left or not right:
            return False
        one, other = left[0], right[0]
        comparable = (is_number(one) and is_number(other)) or (isinstance(one, str) and isinstance(other, str))
        return comparable and compare(one, other)

    return holds


def _equal(left: list[Json], right: list[Json]) -> bool:
    return same(left, right)


def _in(left: list[Json], right: list[Json]) -> bool:
    return bool(left and right) and isinstance(right[0], list) and any(same(left[0], item) for item in right[0])


def _contains(left: list[Json], right: list[Json]) -> bool:
    if left and right and isinstance(left[0], str):
        return isinstance(right[0], str) and right[0] in left[0]
    return _in(right, left)


def _size(left: list[Json], right: list[Json]) -> bool:
    return bool(left and right) and isinstance(left[0], (str, list)) and same(len(left[0]), right[0])


def _empty(left: list[Json], right: list[Json]) -> bool:
    return bool(left and right) and isinstance(left[0], (str, list)) and (not left[0]) is right[0]


def _shared(left: list[Json], right: list[Json]) -> list[bool] | None:
    """Return which items of the left array the right one has, None for other values."""
    if not (left and right and isinstance(left[0], list) and isinstance(right[0], list)):
        return None
    return [_in([item], right) for item in left[0]]


def _of_arrays(verdict: Callable[[list[bool]], bool]) -> Callable[[list[Json], list[Json]], bool]:
    def holds(left: list[Json], right: list[Json]) -> bool:
        shared = _shared(left, right)
        return shared is not None and verdict(shared)

    return holds


_OPERATORS: dict[str, Callable[[list[Json], list[Json]], bool]] = {
    "==": _equal,
    "!=": lambda left, right: not _equal(left, right),
    "<": _ordered(operator.lt),
    "<=": _ordered(operator.le),
    ">": _ordered(operator.gt),
    ">=": _ordered(operator.ge),
    "in": _in,
    "nin": lambda left, right: not _in(left, right),
    "contains": _contains,
    "size": _size,
    "empty": _empty,
    "subsetof": _of_arrays(all),
    "anyof": _of_arrays(any),
    "noneof": _of_arrays(lambda shared: not any(shared)),
}
