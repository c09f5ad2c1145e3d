"""Events of an execution's history."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class HistoryEvent:
    """One event. ``details`` is the content of the API's ``…EventDetails``, with JSON (input, output) as text."""

    id: int
    previous_id: int
    type: str
    at_ms: int
    details: dict[str, Any] = field(default_factory=dict)
