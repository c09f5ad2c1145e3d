"""What one call of ``advance`` gives."""

from typing import NamedTuple

from workflows.engine.core.commands import Command
from workflows.engine.core.execution import Execution
from workflows.engine.core.history import HistoryEvent


class Step(NamedTuple):
    """The execution as it is now (changed in place), the events to append, and what to do once both are saved."""

    execution: Execution
    history: list[HistoryEvent]
    commands: list[Command]
