"""The rules of a Choice state.

https://docs.aws.amazon.com/step-functions/latest/dg/state-choice.html
"""

import operator
import re
from collections.abc import Callable, Iterable

from asl_engine.errors import ExpressionMalformed
from asl_engine.jsontext import Json
from asl_engine.language.env import Env, Read
from asl_engine.language.jsonata import compile_jsonata, expect
from asl_engine.language.jsonpath import CompiledPath, compile_path
from asl_engine.language.jsonpath_steps import is_number
from asl_engine.language.templates import is_jsonata, jsonata_of
from asl_engine.language.times import is_timestamp, parse_timestamp

_PARTS = re.compile(r"\\[*\\]|\*|[^*\\]+|\\")  # of a pattern: an escape, a star, plain text

type Holds = Callable[[Env], bool]
type Test = Callable[[Json], bool]
type Compare = Callable[[Json, Json], bool]


def compile_rule(rule: dict[str, Json], jsonata: bool, where: str = "Condition") -> Holds:
    """Compile a rule; ``where`` is a JSONata condition's field, as in Choices[0]/Condition.

    The compiled rule raises StateFailed if it cannot be evaluated. Raises ExpressionMalformed.
    """
    if not jsonata:
        return _compile(rule)
    condition = rule["Condition"]
    if not is_jsonata(condition):
        return lambda _env: condition is True
    expression = compile_jsonata(jsonata_of(condition), where)
    return lambda env: bool(expect(expression, expression.evaluate(env), "boolean"))


def _compile(rule: dict[str, Json]) -> Holds:
    if "Not" in rule:
        inner = _compile(rule["Not"])
        return lambda env: not inner(env)
    if "And" in rule:
        every = [_compile(part) for part in rule["And"]]
        return lambda env: all(part(env) for part in every)
    if "Or" in rule:
        some = [_compile(part) for part in rule["Or"]]
        return lambda env: any(part(env) for part in some)
    name = next((name for name in rule if name.removesuffix("Path") in COMPARISONS or name in TYPE_TESTS), None)
    if name is None:
        raise ExpressionMalformed(str(rule.get("Variable")), 0, "the rule has no operator")
    return _test(name, compile_path(rule["Variable"]), rule[name])


def _test(name: str, path: CompiledPath, operand: Json) -> Holds:
    if name == "IsPresent":
        return lambda env: path.exists(env) is operand
    variable = _reader(path)
    if name in TYPE_TESTS:
        is_type = TYPE_TESTS[name]
        return lambda env: is_type(variable(env)) is operand
    if name.endswith("Path"):
        return _comparison_of_two(COMPARISONS[name.removesuffix("Path")], variable, _reader(compile_path(operand)))
    return _comparison_with(COMPARISONS[name], variable, operand)


def _reader(path: CompiledPath) -> Read:
    cause = f"Invalid path '{path.text}': The choice state's condition path references an invalid value."
    return path.reader(lambda _env: cause)


def _comparison_of_two(compare: Compare, left: Read, right: Read) -> Holds:
    return lambda env: compare(left(env), right(env))


def _comparison_with(compare: Compare, variable: Read, operand: Json) -> Holds:
    return lambda env: compare(variable(env), operand)


def _of_numbers(compare: Compare) -> Compare:
    def holds(value: Json, operand: Json) -> bool:
        try:
            comparable = value.__class__ in _NUMBERS and operand.__class__ in _NUMBERS
            return comparable and compare(value, operand)
        except OverflowError:  # an integer too large for a float
            return False

    return holds


_NUMBERS = frozenset((int, float))  # bool is a class of its own


def _of_texts(compare: Compare) -> Compare:
    return lambda value, operand: isinstance(value, str) and isinstance(operand, str) and compare(value, operand)


def _of_timestamps(compare: Compare) -> Compare:
    def holds(value: Json, operand: Json) -> bool:
        if not isinstance(value, str) or not isinstance(operand, str):
            return False
        try:
            return compare(parse_timestamp(value), parse_timestamp(operand))
        except ValueError:
            return False

    return holds


def _same_booleans(value: Json, operand: Json) -> bool:
    return isinstance(value, bool) and value is operand


def _matches(value: Json, pattern: Json) -> bool:
    r"""Match a text against a pattern with ``*`` as wildcard, ``\*`` and ``\\`` as escapes."""
    if not isinstance(value, str) or not isinstance(pattern, str):
        return False
    first, *inner = _between_stars(pattern)
    if not inner:
        return value == first
    last = inner.pop()
    at, end = len(first), len(value) - len(last)
    if at > end or not value.startswith(first) or not value.endswith(last):
        return False
    for text in inner:  # the earliest place each: a regular expression could try every place for each
        found = value.find(text, at, end)
        if found < 0:
            return False
        at = found + len(text)
    return True


def _between_stars(pattern: str) -> list[str]:
    texts = [""]
    for part in _PARTS.findall(pattern):
        if part == "*":
            texts.append("")
        else:
            texts[-1] += part[1:] if part in ("\\*", "\\\\") else part
    return texts


_ORDERS: dict[str, Compare] = {
    "Equals": operator.eq,
    "LessThan": operator.lt,
    "LessThanEquals": operator.le,
    "GreaterThan": operator.gt,
    "GreaterThanEquals": operator.ge,
}


def _comparisons() -> Iterable[tuple[str, Compare]]:
    for order, compare in _ORDERS.items():
        yield f"String{order}", _of_texts(compare)
        yield f"Numeric{order}", _of_numbers(compare)
        yield f"Timestamp{order}", _of_timestamps(compare)


COMPARISONS: dict[str, Compare] = {
    **dict(_comparisons()),
    "BooleanEquals": _same_booleans,
    "StringMatches": _matches,
}

TYPE_TESTS: dict[str, Test] = {
    "IsPresent": lambda _value: True,
    "IsNull": lambda value: value is None,
    "IsNumeric": is_number,
    "IsString": lambda value: isinstance(value, str),
    "IsBoolean": lambda value: isinstance(value, bool),
    "IsTimestamp": is_timestamp,
}
