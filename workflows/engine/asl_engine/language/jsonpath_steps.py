"""Steps of a JSONPath. Each maps one value to the values selected in it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from statistics import fmean

from asl_engine.jsontext import Json

type Select = Callable[[Json, Json], Iterable[Json]]  # from a value and, for filters, the path's root
type Predicate = Callable[[Json, Json], bool]


@dataclass(frozen=True, slots=True)
class PathStep:
    """One step.

    ``key`` is the name or index of a step that selects at most one value. ``aggregate`` is a function like
    ``.length()`` of everything that the path before it selects. ``gather`` makes one object of ``['a','b']``
    at the end of a path to one value.
    """

    select: Select
    key: str | int | None = None
    aggregate: Callable[[Json], Json] | None = None
    gather: Callable[[Json], Json] | None = None


def members(*names: str) -> PathStep:
    """``.name``, ``['name']`` or ``['a','b']``."""

    def gather(node: Json) -> Json:
        return {name: node[name] for name in names if name in node} if isinstance(node, dict) else {}

    if len(names) > 1:
        return PathStep(lambda node, _root: gather(node).values(), gather=gather)
    (name,) = names
    return PathStep(lambda node, _root: (node[name],) if isinstance(node, dict) and name in node else (), name)


def gathering(gather: Callable[[Json], Json]) -> PathStep:
    """``['a','b']`` at the end of a path: one object for each object before it."""
    return PathStep(lambda node, _root: (gather(node),) if isinstance(node, dict) else (), gather=gather)


def elements(*indices: int) -> PathStep:
    """``[0]``, ``[0,2]`` or, from the end, ``[-1]``."""

    def select(node: Json, _root: Json) -> Iterable[Json]:
        array = node if isinstance(node, list) else ()
        return [array[index] for index in indices if -len(array) <= index < len(array)]

    return PathStep(select, indices[0] if len(indices) == 1 else None)


def matching(holds: Predicate) -> PathStep:
    """``[?(…)]``: the matching elements of an array, or a matching object."""

    def select(node: Json, root: Json) -> Iterable[Json]:
        candidates = node if isinstance(node, list) else (node,) if isinstance(node, dict) else ()
        return [candidate for candidate in candidates if holds(candidate, root)]

    return PathStep(select)


def _every(node: Json, _root: Json) -> Iterable[Json]:
    if isinstance(node, dict):
        return node.values()
    return node if isinstance(node, list) else ()


def _descendants(node: Json, _root: Json) -> Iterator[Json]:
    pending = [node]
    while pending:
        current = pending.pop()
        if isinstance(current, (dict, list)):
            yield current
            pending.extend(reversed(current.values() if isinstance(current, dict) else current))


EVERY = PathStep(_every)  # [*] or .*
DESCEND = PathStep(_descendants)  # "..": the value and everything in it, parents first


def walk(steps: Iterable[PathStep], root: Json) -> list[Json]:
    """Return all values that the steps select, in document order."""
    nodes = [root]
    for step in steps:
        nodes = [found for node in nodes for found in step.select(node, root)]
    return nodes


def is_number(value: Json) -> bool:
    """Return whether a value is a JSON number, which a bool is not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def same(left: Json, right: Json) -> bool:
    """Return whether two JSON values are equal; true does not equal 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())
    return bool(left == right)


# --- functions at the end of a path: ``$.items.length()`` ---


def _length(value: Json) -> Json:
    return len(value) if isinstance(value, (list, dict, str)) else None


def _of_numbers(aggregate: Callable[[list[float]], float]) -> Callable[[Json], Json]:
    def apply(value: Json) -> Json:
        numbers = [item for item in value if is_number(item)] if isinstance(value, list) else []
        return aggregate(numbers) if numbers else None

    return apply


FUNCTIONS: dict[str, Callable[[Json], Json]] = {
    "length": _length,
    "size": _length,
    "keys": lambda value: list(value) if isinstance(value, dict) else None,
    "min": _of_numbers(min),
    "max": _of_numbers(max),
    "sum": _of_numbers(sum),
    "avg": _of_numbers(fmean),
}
