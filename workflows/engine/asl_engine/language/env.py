"""What an expression may look at."""

import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

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
