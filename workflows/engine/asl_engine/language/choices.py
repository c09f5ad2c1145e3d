"""The rules of a Choice state.

https://docs.aws.amazon.com/step-functions/latest/dg/state-choice.html
"""

import fnmatch
import operator
import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from asl_engine.errors import ExpressionMalformed
from asl_engine.jsontext import Json
from asl_engine.language.env import Env, Read
from asl_engine.language.jsonata import compile_jsonata, expect
from asl_engine.language.jsonpath import CompiledPath, compile_path
from asl_engine.language.jsonpath_steps import is_number
from asl_engine.language.templates import is_jsonata, jsonata_of
from asl_engine.language.times import is_timestamp, parse_timestamp

_NOT_OF_FNMATCH = re.compile(r"\\[*\\]|[?\[]")
_IN_FNMATCH = {r"\*": "[*]", r"\\": "\\", "?": "[?]", "[": "[[]"}
_NUMBERS, _TEXTS = frozenset((int, float)), frozenset((str,))  # bool is a class of its own

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
    compare = COMPARISONS[name.removesuffix("Path")]
    if not name.endswith("Path"):
        return lambda env: compare(variable(env), operand)
    other = _reader(compile_path(operand))
    return lambda env: compare(variable(env), other(env))


def _reader(path: CompiledPath) -> Read:
    cause = f"Invalid path '{path.text}': The choice state's condition path references an invalid value."
    return path.reader(lambda _env: cause)


def _of(kinds: frozenset[type], compare: Compare) -> Compare:
    def holds(value: Json, operand: Json) -> bool:
        try:
            return value.__class__ in kinds and operand.__class__ in kinds and compare(value, operand)
        except (OverflowError, ValueError):  # an integer too large for a float; a text that is not a timestamp
            return False

    return holds


def _of_timestamps(compare: Compare) -> Compare:
    return _of(_TEXTS, lambda value, operand: compare(parse_timestamp(value), parse_timestamp(operand)))


def _same_booleans(value: Json, operand: Json) -> bool:
    return isinstance(value, bool) and value is operand


def _matches(value: Json, pattern: Json) -> bool:
    return isinstance(value, str) and isinstance(pattern, str) and _compiled_pattern(pattern).match(value) is not None


@lru_cache(maxsize=1024)
def _compiled_pattern(pattern: str) -> re.Pattern[str]:
    r"""Compile a pattern with ``*`` as wildcard, ``\*`` and ``\\`` as escapes.

    fnmatch's expressions try the earliest place for each star alone, and so take no exponential time.
    """
    return re.compile(fnmatch.translate(_NOT_OF_FNMATCH.sub(lambda found: _IN_FNMATCH[found[0]], pattern)))


_ORDERS: dict[str, Compare] = {
    "Equals": operator.eq,
    "LessThan": operator.lt,
    "LessThanEquals": operator.le,
    "GreaterThan": operator.gt,
    "GreaterThanEquals": operator.ge,
}


def _comparisons() -> Iterable[tuple[str, Compare]]:
    for order, compare in _ORDERS.items():
        yield f"String{order}", _of(_TEXTS, compare)
        yield f"Numeric{order}", _of(_NUMBERS, compare)
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
