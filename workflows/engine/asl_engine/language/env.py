"""What an expression can read, and what all compiled expressions have in common."""

import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from asl_engine.jsontext import Json

_NOTHING: Mapping[str, Json] = MappingProxyType({})


def _random_uuid() -> str:
    return str(uuid.uuid4())


@dataclass(slots=True)
class Env:
    """The values in reach of one expression. JSON values are never changed in place.

    ``input`` is ``$`` in JSONPath; ``context`` is ``$$`` and JSONata's ``$states.context``;
    ``variables`` are those assigned before, the innermost scope's first. ``states`` is JSONata's
    ``$states`` (input, context, and where there is one result and errorOutput).

    What is not a function of these is drawn from the last three, so that a run can be repeated:
    ``random`` gives 0 ≤ x < 1, ``uuid`` a version 4 UUID's text, and ``now_ms`` is the time of
    JSONata's ``$now()`` and ``$millis()`` (None: the system's clock).
    """

    input: Json
    context: Mapping[str, Json] = _NOTHING
    variables: Mapping[str, Json] = _NOTHING
    states: Mapping[str, Json] | None = None
    random: Callable[[], float] = random.random
    uuid: Callable[[], str] = _random_uuid
    now_ms: int | None = None


def uuid_of(draw: Callable[[], float]) -> str:
    """Return a version 4 UUID made of what ``draw`` gives."""
    high, low, spread = int(draw() * (1 << 53)), int(draw() * (1 << 53)), int(draw() * (1 << 22))
    return str(uuid.UUID(int=high << 75 | low << 22 | spread, version=4))


type Read = Callable[[Env], Json]  # what a part of an expression compiles to


class Expression(Protocol):
    """A compiled expression: a path, an intrinsic function, a template or JSONata."""

    def evaluate(self, env: Env) -> Json:
        """Return the expression's value. Raises StateFailed with AWS's error name and text."""
        ...


_MULTIPLIER, _ADDEND, _MASK = 0x5DEECE66D, 0xB, (1 << 48) - 1


def random_of_seed(seed: int) -> float:
    """Return what Java's ``new Random(seed).nextDouble()`` does, which a seed drives on AWS: 0 ≤ x < 1.

    https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/util/Random.html
    """
    high = ((seed ^ _MULTIPLIER) * _MULTIPLIER + _ADDEND) & _MASK
    low = (high * _MULTIPLIER + _ADDEND) & _MASK
    return ((high >> 22 << 27) + (low >> 21)) / (1 << 53)
