"""What a graph shows of each state beside its name."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class StateShown:
    """What became of one state in an execution.

    ``status`` is a name of ``{% status %}``: SUCCEEDED, FAILED, TIMED_OUT, RUNNING, WAITING, CAUGHT, ABORTED or
    NOT_RUN. ``tries`` counts calls, 0 for a state that calls nothing. ``seconds`` is how long it took in all, None if
    it is not known. ``iterations`` of a Map (or visits of a state inside one) are counted by status. ``runs_again``
    says that a redrive would run it.
    """

    status: str
    tries: int = 0
    seconds: float | None = None
    iterations: Mapping[str, int] = field(default_factory=dict)
    runs_again: bool = False
