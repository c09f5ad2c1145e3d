"""What an expression may look at."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from workflows.engine.jsontext import Json


@dataclass(slots=True)
class Env:
    """The values in reach of one expression. JSON values are never changed in place.

    ``input`` is ``$`` in JSONPath; ``context`` is ``$$`` and JSONata's ``$states.context``;
    ``variables`` are those assigned before, the innermost scope's first. ``states`` is JSONata's
    ``$states`` (input, context, and where there is one result and errorOutput).
    """

    input: Json
    context: Mapping[str, Json] = field(default_factory=dict)
    variables: Mapping[str, Json] = field(default_factory=dict)
    states: Mapping[str, Json] | None = None
