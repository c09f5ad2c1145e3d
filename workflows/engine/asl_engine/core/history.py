"""One event of an execution's history."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class HistoryEvent:
    """One event. ``details`` is the content of the API's ``…EventDetails``, keys and texts as AWS has them.

    JSON in it (input, output, parameters) is text already; ``id`` and ``previous_id`` are the API's.
    """

    id: int
    previous_id: int
    type: str
    at_ms: int
    details: dict[str, Any] = field(default_factory=dict)
