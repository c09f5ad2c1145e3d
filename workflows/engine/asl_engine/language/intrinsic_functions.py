"""The intrinsic functions, within AWS's limits.

https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html
"""

import base64
import binascii
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NoReturn

from asl_engine.errors import INTRINSIC_FAILURE
from asl_engine.jsontext import Json, dumps, loads
from asl_engine.language.env import Env, Read, random_of_seed
from asl_engine.language.jsonata_values import ALGORITHMS, digest
from asl_engine.language.jsonpath_steps import is_number, same

MAX_TEXT_CHARACTERS = 10_000  # of Base64Encode, Base64Decode and Hash
MAX_RANGE_ITEMS = 1_000
MIN_INTEGER, MAX_INTEGER = -(2**31), 2**31 - 1  # of MathAdd and MathRandom

_PLACE = re.compile(r"\\([{}'\\])|(\{\})")


class FunctionFailed(Exception):
    """A function does not accept its arguments. The outermost call adds its own text."""

    def __init__(self, problem: str, error: str = INTRINSIC_FAILURE) -> None:
        super().__init__(problem, error)
        self.problem, self.error = problem, error


def _refuse(problem: str) -> NoReturn:
    raise FunctionFailed(problem)


def _text(value: Json, what: str) -> str:
    return value if isinstance(value, str) else _refuse(f"{what} must be a string, not {dumps(value)}")


def _array(value: Json, what: str = "The first argument") -> list[Json]:
    return value if isinstance(value, list) else _refuse(f"{what} must be an array, not {dumps(value)}")


def _integer(value: Json, what: str) -> int:
    """Return the nearest integer; AWS rounds a half up."""
    if not is_number(value):
        _refuse(f"{what} must be a number, not {dumps(value)}")
    return value if isinstance(value, int) else math.floor(value + 0.5)


def _integer_of_32_bits(value: Json, what: str) -> int:
    number = _integer(value, what)
    if not MIN_INTEGER <= number <= MAX_INTEGER:
        _refuse(f"{what} must be between {MIN_INTEGER} and {MAX_INTEGER}, not {number}")
    return number


def _short_text(value: Json, what: str) -> str:
    text = _text(value, what)
    if len(text) > MAX_TEXT_CHARACTERS:
        _refuse(f"{what} must have at most {MAX_TEXT_CHARACTERS} characters, not {len(text)}")
    return text


def _array_partition(array: Json, size: Json) -> Json:
    items, length = _array(array), _integer(size, "The chunk size")
    if length < 1:
        _refuse(f"The chunk size must be a positive integer, not {length}")
    return [items[start : start + length] for start in range(0, len(items), length)]


def _array_contains(array: Json, value: Json) -> Json:
    return any(same(item, value) for item in _array(array))


def _array_range(first: Json, last: Json, step: Json) -> Json:
    start, stop, by = _integer(first, "The start"), _integer(last, "The end"), _integer(step, "The step")
    if by == 0:
        _refuse("The step must not be 0")
    numbers = range(start, stop + (1 if by > 0 else -1), by)
    if len(numbers) > MAX_RANGE_ITEMS:
        _refuse(f"The range must have at most {MAX_RANGE_ITEMS} items, not {len(numbers)}")
    return list(numbers)


def _array_get_item(array: Json, index: Json) -> Json:
    items, at = _array(array), _integer(index, "The index")
    if not 0 <= at < len(items):
        _refuse(f"The index {at} is out of bounds for an array of {len(items)} items")
    return items[at]


def _array_unique(array: Json) -> Json:
    unique: dict[str, Json] = {}
    for item in _array(array):
        unique.setdefault(dumps(_sorted(item)), item)
    return list(unique.values())


def _sorted(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def _base64_encode(text: Json) -> Json:
    return base64.b64encode(_short_text(text, "The argument").encode()).decode()


def _base64_decode(text: Json) -> Json:
    try:
        return base64.b64decode(_short_text(text, "The argument"), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        _refuse("The argument must be the Base64 form of a text in UTF-8")


def _hash(data: Json, algorithm: Json) -> Json:
    text = data if isinstance(data, str) else dumps(data)
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        _refuse(f"The algorithm must be one of {', '.join(ALGORITHMS)}, not {dumps(algorithm)}")
    return digest(_short_text(text, "The data"), algorithm)


def _json_merge(one: Json, other: Json, deep: Json) -> Json:
    if not isinstance(one, dict) or not isinstance(other, dict):
        _refuse("The first two arguments must be objects")
    if deep is not False:
        _refuse("The third argument must be false: deep merging is not supported")
    return {**one, **other}


def _string_to_json(text: Json) -> Json:
    source = _text(text, "The argument")
    if not source.strip():
        return None
    try:
        return loads(source)
    except ValueError:
        _refuse(f"The argument must be the text of a JSON value, not {dumps(source)}")


def _math_add(one: Json, other: Json) -> Json:
    return _integer_of_32_bits(one, "The first argument") + _integer_of_32_bits(other, "The second argument")


def _math_random(env: Env, start: Json, end: Json, seed: Json = None) -> Json:
    first, last = _integer_of_32_bits(start, "The start"), _integer_of_32_bits(end, "The end")
    if first >= last:
        _refuse("The start must be less than the end")
    drawn = env.random() if seed is None else random_of_seed(_integer(seed, "The seed"))
    return first + math.floor(drawn * (last - first))


def _string_split(text: Json, delimiters: Json) -> Json:
    source, characters = _text(text, "The first argument"), _text(delimiters, "The delimiter")
    if not characters:
        return [source] if source else []
    return [part for part in re.split(f"[{re.escape(characters)}]", source) if part]


def _format(template: Json, *values: Json) -> Json:
    pieces = _parse_format(_text(template, "The template"))
    if len(values) != len(pieces) - 1:
        _refuse(f"The template has {len(pieces) - 1} places {{}} for {len(values)} values")
    filled = [pieces[0]]
    for value, piece in zip(values, pieces[1:], strict=True):
        filled += (value if isinstance(value, str) else _as_java(value), piece)
    return "".join(filled)


@lru_cache(maxsize=1024)
def _parse_format(template: str) -> list[str]:
    """Return the pieces of a template between its places ``{}``, without escapes."""
    pieces, start = [""], 0
    for found in _PLACE.finditer(template):
        pieces[-1] += template[start : found.start()] + (found[1] or "")
        start = found.end()
        if found[2] is not None:
            pieces.append("")
    pieces[-1] += template[start:]
    return pieces


def _as_java(value: Json) -> str:
    """Return a value as Java prints it: {a=1, b=[x]}."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={_as_java(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_as_java, value)) + "]"
    return value if isinstance(value, str) else dumps(value)


@dataclass(frozen=True, slots=True)
class IntrinsicFunction:
    """A function and its number of arguments; ``draws`` passes the Env as first."""

    call: Callable[..., Json]
    least: int
    most: int
    draws: bool = False

    def bind(self, arguments: list[Read]) -> Read:
        """Return the evaluation of the arguments and the call."""
        call = self.call
        if self.draws:
            return lambda env: call(env, *[argument(env) for argument in arguments])
        if len(arguments) == 2:
            first, second = arguments
            return lambda env: call(first(env), second(env))
        return lambda env: call(*[argument(env) for argument in arguments])


_ANY_NUMBER = 1_000

FUNCTIONS: dict[str, IntrinsicFunction] = {
    "Format": IntrinsicFunction(_format, 1, _ANY_NUMBER),
    "StringToJson": IntrinsicFunction(_string_to_json, 1, 1),
    "JsonToString": IntrinsicFunction(dumps, 1, 1),
    "Array": IntrinsicFunction(lambda *items: list(items), 0, _ANY_NUMBER),
    "ArrayPartition": IntrinsicFunction(_array_partition, 2, 2),
    "ArrayContains": IntrinsicFunction(_array_contains, 2, 2),
    "ArrayRange": IntrinsicFunction(_array_range, 3, 3),
    "ArrayGetItem": IntrinsicFunction(_array_get_item, 2, 2),
    "ArrayLength": IntrinsicFunction(lambda array: len(_array(array)), 1, 1),
    "ArrayUnique": IntrinsicFunction(_array_unique, 1, 1),
    "Base64Encode": IntrinsicFunction(_base64_encode, 1, 1),
    "Base64Decode": IntrinsicFunction(_base64_decode, 1, 1),
    "Hash": IntrinsicFunction(_hash, 2, 2),
    "JsonMerge": IntrinsicFunction(_json_merge, 3, 3),
    "MathRandom": IntrinsicFunction(_math_random, 2, 3, draws=True),
    "MathAdd": IntrinsicFunction(_math_add, 2, 2),
    "StringSplit": IntrinsicFunction(_string_split, 2, 2),
    "UUID": IntrinsicFunction(lambda env: env.uuid(), 0, 0, draws=True),
}
