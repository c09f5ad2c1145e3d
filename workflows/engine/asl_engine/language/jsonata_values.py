"""The functions that Step Functions adds to JSONata, and JavaScript's arithmetic.

https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html#jsonata-functions-provided-by-sfn
"""

import hashlib
import json
import math
import re
from decimal import Decimal

from asl_engine.jsontext import Json, dumps

ALGORITHMS = ("MD5", "SHA-1", "SHA-256", "SHA-384", "SHA-512")

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[Ee][-+]?[0-9]+)?")
_WITH_PREFIX = re.compile(r"0[xX][0-9A-Fa-f]+|0[oO][0-7]+|0[bB][01]+")

_EXACT = 2**53  # above it not every integer is a JavaScript number
_PLAIN_BELOW = 1e21  # JavaScript prints whole numbers below it without an exponent
_LONG = 2**63


class FunctionRefused(Exception):
    """A function does not accept its arguments; with JSONata's code and text of the error."""

    def __init__(self, code: str, problem: str) -> None:
        super().__init__(code, problem)
        self.code, self.problem = code, problem


class BoundPassed(Exception):
    """An evaluation exceeded one of AWS's limits."""


def partition(array: list[Json] | None, size: float | None) -> Json:
    """``$partition``: chunks of an array, or None (undefined) if there are none."""
    if not array:
        return None
    length = len(array) if size is None else math.trunc(size)
    if length < 0:
        raise FunctionRefused("D3137", "Second argument must be zero or greater")
    if length == 0:
        return None
    return [array[start : start + length] for start in range(0, len(array), length)]


def numbers_between(first: float | None, last: float | None, step: float | None) -> range:
    """``$range``: numbers from first to last, inclusive; fractions are truncated."""
    if first is None or last is None or step is None or math.trunc(step) == 0:
        return range(0)
    start, stop, by = math.trunc(first), math.trunc(last), math.trunc(step)
    return range(start, stop + (1 if by > 0 else -1), by)


def hash_of(text: str | None, algorithm: str | None) -> Json:
    """``$hash``: the digest of a text."""
    if text is None or algorithm is None:
        return None
    if algorithm not in ALGORITHMS:
        raise FunctionRefused("D3137", f"Unsupported hash algorithm: {algorithm}")
    return digest(text, algorithm)


def digest(text: str, algorithm: str) -> str:
    """Return the digest of a text by one of ALGORITHMS, in hexadecimal digits."""
    name = algorithm.replace("-", "").lower()
    return hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()


def parsed(text: str) -> Json:
    """``$parse``: the value of a JSON text. AWS refuses duplicate keys and 1e400."""
    try:
        value = json.loads(text, object_pairs_hook=_object_of, parse_constant=_no_number, parse_float=_finite)
    except ValueError:
        raise FunctionRefused("D3137", "Invalid JSON") from None
    return value


def _object_of(pairs: list[tuple[str, Json]]) -> Json:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("duplicate key")
    return value


def _no_number(text: str) -> Json:
    raise ValueError(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def number_in(text: str) -> Json:
    """Return the number in a text as ``$number`` reads it, or None."""
    if _NUMBER.fullmatch(text):
        number = float(text)
        return number_of(number) if math.isfinite(number) else None
    return int(text, 0) if _WITH_PREFIX.fullmatch(text) else None


def number_of(value: float) -> Json:
    """Return a number as JSON: whole ones as integers, NaN and the infinite by name."""
    if isinstance(value, int):
        return value if -_LONG <= value < _LONG else float(value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value != math.trunc(value) or abs(value) >= _PLAIN_BELOW:
        return value
    return int(value) if abs(value) <= _EXACT else int(Decimal(repr(value)))


def quotient(left: float, right: float) -> float:
    """Return left divided by right; division by 0 gives an infinity or NaN."""
    if right:
        return left / right
    if not left or math.isnan(left) or math.isnan(right):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def remainder(left: float, right: float) -> float:
    """Return the remainder, with the sign of the left side."""
    return math.fmod(left, right) if right and math.isfinite(left) else math.nan


def number_text(value: float) -> str:
    """Return a number as ``$string`` writes it: with at most 15 digits."""
    if isinstance(value, int) and -_LONG <= value < _LONG:
        return str(value)
    value = float(value)
    if value == math.trunc(value):
        return str(number_of(value)) if abs(value) < _PLAIN_BELOW else _with_exponent(Decimal(repr(value)))
    rounded = Decimal(f"{value:.15g}").normalize()
    return format(rounded, "f") if abs(rounded) >= Decimal("1e-6") else _with_exponent(rounded)


def _with_exponent(number: Decimal) -> str:
    sign, digits, _ = number.normalize().as_tuple()
    mantissa = "".join(map(str, digits))
    exponent = number.adjusted()
    fraction = f".{mantissa[1:]}" if len(mantissa) > 1 else ""
    return f"{'-' if sign else ''}{mantissa[0]}{fraction}e{'+' if exponent > 0 else '-'}{abs(exponent)}"


def type_name(value: Json) -> str:
    """Return the name of a value's JSON type."""
    if value is None:
        return "null"
    names = ((bool, "boolean"), (str, "string"), ((int, float), "number"), (list, "array"))
    return next((name for kind, name in names if isinstance(value, kind)), "object")


def unexpected_type(value: Json, expected: str) -> str:
    """Return the end of a cause about a value of the wrong type."""
    actual = type_name(value)
    return f"returned an unexpected result type. Expected '{expected}', but was '{actual}' for value: {dumps(value)}"
