"""Events of an execution's history."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class HistoryEvent:
    """One event. ``details`` are the API's ``…EventDetails``, with JSON as text."""

    id: int
    previous_id: int
    type: str
    at_ms: int
    details: dict[str, Any] = field(default_factory=dict)
