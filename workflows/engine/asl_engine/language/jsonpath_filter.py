"""The filters of a JSONPath: ``[?(@.price < 10 && @.category == 'fiction')]``."""

import operator
import re
from collections.abc import Callable

from asl_engine.jsontext import Json, loads
from asl_engine.language.jsonpath_steps import PathStep, Predicate, is_number, walk
from asl_engine.language.reader import Reader

type Operand = Callable[[Json, Json], list[Json]]  # gives one value, or nothing where a path leads nowhere

_LITERAL = re.compile(
    r"""(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
    r"""|(?P<json>true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)""",
    re.DOTALL,
)
_REGEX = re.compile(r"/((?:[^/\\]|\\.)+)/([imsx]*)", re.DOTALL)
_LIST = re.compile(r"\[([^\]]*)\]")
_OPERATOR = re.compile(r"==|!=|<=|>=|<|>|=~|(?:in|nin|contains|size|empty|subsetof|anyof|noneof)\b")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def read_filter(reader: Reader, read_steps: Callable[[Reader], tuple[PathStep, ...]]) -> Predicate:
    """Read a filter behind its question mark. ``read_steps`` reads the paths in it."""
    return _FilterReader(reader, read_steps).either()


class _FilterReader:
    """Recursive descent: ``||`` binds weaker than ``&&``, which binds weaker than ``!`` and a comparison."""

    def __init__(self, reader: Reader, read_steps: Callable[[Reader], tuple[PathStep, ...]]) -> None:
        self.reader, self.read_steps = reader, read_steps

    def either(self) -> Predicate:
        parts = self._joined("||", self._both)
        return parts[0] if len(parts) == 1 else lambda node, root: any(part(node, root) for part in parts)

    def _both(self) -> Predicate:
        parts = self._joined("&&", self._term)
        return parts[0] if len(parts) == 1 else lambda node, root: all(part(node, root) for part in parts)

    def _joined(self, token: str, read: Callable[[], Predicate]) -> list[Predicate]:
        parts = [read()]
        self.reader.space()
        while self.reader.skip(token):
            parts.append(read())
            self.reader.space()
        return parts

    def _term(self) -> Predicate:
        self.reader.space()
        if self.reader.skip("!"):
            inner = self._term()
            return lambda node, root: not inner(node, root)
        if self.reader.skip("("):
            inner = self.either()
            self.reader.space()
            self.reader.expect(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Predicate:
        left = self._operand()
        self.reader.space()
        found = self.reader.take(_OPERATOR)
        if found is None:
            return lambda node, root: bool(left(node, root))
        self.reader.space()
        if found[0] == "=~":
            return self._matches(left)
        right, compare = self._operand(), _OPERATORS[found[0]]
        return lambda node, root: compare(left(node, root), right(node, root))

    def _matches(self, left: Operand) -> Predicate:
        found = self.reader.take(_REGEX)
        if found is None:
            self.reader.fail("a regular expression between slashes was expected behind =~")
        flags = re.NOFLAG
        for letter in found[2]:
            flags |= re.RegexFlag[letter.upper()]
        try:
            pattern = re.compile(found[1], flags)
        except re.error as error:
            self.reader.fail(f"the regular expression is malformed: {error}")
        return lambda node, root: any(isinstance(text, str) and pattern.fullmatch(text) for text in left(node, root))

    def _operand(self) -> Operand:
        reader = self.reader
        if reader.skip("@"):
            steps = self.read_steps(reader)
            return lambda node, _root: _one(steps, node)
        if reader.skip("$"):
            steps = self.read_steps(reader)
            return lambda _node, root: _one(steps, root)
        listed = reader.take(_LIST)
        constant = [self._list(listed[1])] if listed is not None else [self._literal(reader)]
        return lambda _node, _root: constant

    def _list(self, text: str) -> Json:
        inner = Reader(text)
        items: list[Json] = []
        inner.space()
        while inner.at < len(text):
            items.append(self._literal(inner))
            inner.space()
            inner.skip(",")
            inner.space()
        return items

    @staticmethod
    def _literal(reader: Reader) -> Json:
        found = reader.take(_LITERAL)
        if found is None:
            reader.fail("a path (@ or $), a number, a text in quotes, true, false or null was expected")
        if found["text"] is not None:
            return _ESCAPE.sub(r"\1", found["text"][1:-1])
        return loads(found["json"])


def _one(steps: tuple[PathStep, ...], node: Json) -> list[Json]:
    """Return what a path in a filter leads to: a list of one value or none."""
    found = walk(steps, node)
    return found if all(step.key is not None for step in steps) or not found else [found]


def same(left: Json, right: Json) -> bool:
    """Return whether two JSON values are the same, true being no 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())
    return bool(left == right)


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
    """Return for each item of the left array whether the right one has it. None where these are no arrays."""
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
