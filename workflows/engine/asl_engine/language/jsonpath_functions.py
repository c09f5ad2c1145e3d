"""The functions a JSONPath may end in: ``$.items.length()``."""

from collections.abc import Callable
from statistics import fmean

from asl_engine.jsontext import Json


def _length(value: Json) -> Json:
    return len(value) if isinstance(value, (list, dict, str)) else None


def _keys(value: Json) -> Json:
    return list(value) if isinstance(value, dict) else None


def _of_numbers(aggregate: Callable[[list[float]], float]) -> Callable[[Json], Json]:
    def apply(value: Json) -> Json:
        numbers = [item for item in value if is_number(item)] if isinstance(value, list) else []
        return aggregate(numbers) if numbers else None

    return apply


def is_number(value: Json) -> bool:
    """Return whether a value is a JSON number: Python's bool is an int, JSON's is none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


FUNCTIONS: dict[str, Callable[[Json], Json]] = {
    "length": _length,
    "size": _length,
    "keys": _keys,
    "min": _of_numbers(min),
    "max": _of_numbers(max),
    "sum": _of_numbers(sum),
    "avg": _of_numbers(fmean),
}
