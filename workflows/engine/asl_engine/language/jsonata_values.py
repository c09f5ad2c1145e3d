"""What Step Functions adds to JSONata, and numbers as JavaScript has them: AWS evaluates with the reference engine.

https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html#jsonata-functions-provided-by-sfn
"""

import hashlib
import json
import math
import re
from decimal import Decimal

from asl_engine.jsontext import Json, dumps

ALGORITHMS = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[Ee][-+]?[0-9]+)?")
_WITH_PREFIX = re.compile(r"0[xX][0-9A-Fa-f]+|0[oO][0-7]+|0[bB][01]+")

_EXACT = 2**53  # above it not every integer is a JavaScript number
_PLAIN_BELOW = 1e21  # JavaScript prints whole numbers below it without an exponent
_LONG = 2**63


class FunctionRefused(Exception):
    """A function cannot take its arguments: JSONata's code of the error, and its text."""

    def __init__(self, code: str, problem: str) -> None:
        super().__init__(code, problem)
        self.code, self.problem = code, problem


class BoundPassed(Exception):
    """An evaluation went beyond one of the bounds that AWS sets it."""


def partition(array: list[Json] | None, size: float | None) -> Json:
    """``$partition``: chunks of an array. None (undefined) for no array, an empty one, or chunks of nothing."""
    if not array:
        return None
    length = len(array) if size is None else math.trunc(size)
    if length < 0:
        raise FunctionRefused("D3137", "Second argument must be zero or greater")
    if length == 0:
        return None
    return [array[start : start + length] for start in range(0, len(array), length)]


def numbers_between(first: float | None, last: float | None, step: float | None) -> range:
    """``$range``: numbers from first to last, both included. Fractions are cut off; a step of 0 gives nothing."""
    if first is None or last is None or step is None or math.trunc(step) == 0:
        return range(0)
    start, stop, by = math.trunc(first), math.trunc(last), math.trunc(step)
    return range(start, stop + (1 if by > 0 else -1), by)


def hash_of(text: str | None, algorithm: str | None) -> Json:
    """``$hash``: the digest of a text, in hexadecimal digits."""
    if text is None or algorithm is None:
        return None
    if algorithm not in ALGORITHMS:
        raise FunctionRefused("D3137", f"Unsupported hash algorithm: {algorithm}")
    return hashlib.new(ALGORITHMS[algorithm], text.encode(), usedforsecurity=False).hexdigest()


def parsed(text: str) -> Json:
    """``$parse``: the value of a JSON text. A key that is there twice is no JSON to AWS, nor is 1e400."""
    try:
        value = json.loads(text, object_pairs_hook=_object_of, parse_constant=_no_number, parse_float=_finite)
    except ValueError:
        raise FunctionRefused("D3137", "Invalid JSON") from None
    return value


def _object_of(pairs: list[tuple[str, Json]]) -> Json:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a key is there twice")
    return value


def _no_number(text: str) -> Json:
    raise ValueError(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def number_in(text: str) -> Json:
    """Return the number that a text is, as ``$number`` reads it. None where it is none."""
    if _NUMBER.fullmatch(text):
        number = float(text)
        return number_of(number) if math.isfinite(number) else None
    return int(text, 0) if _WITH_PREFIX.fullmatch(text) else None


def number_of(value: float) -> Json:
    """Return a number as JSON has it: whole ones as integers; what is no number by its name, as AWS writes it."""
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
    """Return left divided by right: by 0 it is infinite, or NaN."""
    if right:
        return left / right
    if not left or math.isnan(left) or math.isnan(right):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def remainder(left: float, right: float) -> float:
    """Return what is left of a division, with the sign of the left side."""
    return math.fmod(left, right) if right and math.isfinite(left) else math.nan


def number_text(value: float) -> str:
    """Return the text that ``$string`` gives a number: fractions with 15 digits at most."""
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
    """Return the name of a JSON value's type, as causes spell it."""
    if value is None:
        return "null"
    names = ((bool, "boolean"), (str, "string"), ((int, float), "number"), (list, "array"))
    return next((name for kind, name in names if isinstance(value, kind)), "object")


def unexpected_type(value: Json, expected: str) -> str:
    """Return what a cause says of a value that is of another type than its field needs."""
    actual = type_name(value)
    return f"returned an unexpected result type. Expected '{expected}', but was '{actual}' for value: {dumps(value)}"
