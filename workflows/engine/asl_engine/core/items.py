"""The items of a Map: an array's elements, or an object's pairs.

https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemspath.html
"""

from collections.abc import Iterable

from asl_engine.jsontext import Json

type Items = list[Json] | dict[str, Json]


def map_item(index: int, value: Json, key: str | None) -> dict[str, Json]:
    """Return the context object's Map.Item; ``key`` is None for an element of an array."""
    return {"Index": index, "Value": value} if key is None else {"Index": index, "Key": key, "Value": value}


def pairs_of(items: Items) -> Iterable[tuple[str | None, Json]]:
    """Return the items with their keys, None for the elements of an array."""
    return items.items() if isinstance(items, dict) else ((None, item) for item in items)


def iteration_input(value: Json, key: str | None) -> Json:
    """Return the input of an iteration without ItemSelector: the element, or the pair."""
    return value if key is None else {"Key": key, "Value": value}
