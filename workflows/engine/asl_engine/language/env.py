"""The values that expressions read, and the type of compiled expressions."""

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
    """The values that one expression can read. JSON values are never changed in place.

    ``input`` is ``$`` in JSONPath; ``context`` is ``$$`` and JSONata's ``$states.context``; ``states`` is
    JSONata's ``$states``. The last three make a run repeatable: ``random`` returns 0 ≤ x < 1, ``uuid`` the text
    of a UUID of version 4, and ``now_ms`` is the time of JSONata's ``$now()`` (None: the system's clock).
    """

    input: Json
    context: Mapping[str, Json] = _NOTHING
    variables: Mapping[str, Json] = _NOTHING
    states: Mapping[str, Json] | None = None
    random: Callable[[], float] = random.random
    uuid: Callable[[], str] = _random_uuid
    now_ms: int | None = None


def uuid_of(draw: Callable[[], float]) -> str:
    """Return a version 4 UUID made of random numbers."""
    high, low, spread = int(draw() * (1 << 53)), int(draw() * (1 << 53)), int(draw() * (1 << 22))
    return str(uuid.UUID(int=high << 75 | low << 22 | spread, version=4))


type Read = Callable[[Env], Json]  # a compiled part of an expression


class Expression(Protocol):
    """A compiled expression: a path, an intrinsic function, a template or JSONata."""

    def evaluate(self, env: Env) -> Json:
        """Return the expression's value. Raises StateFailed with AWS's error name and text."""
        ...


@dataclass(frozen=True, slots=True)
class Evaluator:
    """An expression that is one function."""

    evaluate: Read


_MULTIPLIER, _ADDEND, _MASK = 0x5DEECE66D, 0xB, (1 << 48) - 1


def random_of_seed(seed: int) -> float:
    """Return the result of Java's ``new Random(seed).nextDouble()``, which AWS uses: 0 ≤ x < 1.

    https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/util/Random.html
    """
    high = ((seed ^ _MULTIPLIER) * _MULTIPLIER + _ADDEND) & _MASK
    low = (high * _MULTIPLIER + _ADDEND) & _MASK
    return ((high >> 22 << 27) + (low >> 21)) / (1 << 53)
