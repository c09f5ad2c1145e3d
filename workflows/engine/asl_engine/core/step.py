"""What one call of ``advance`` gives."""

from typing import NamedTuple

from asl_engine.core.commands import Command
from asl_engine.core.execution import Execution
from asl_engine.core.history import HistoryEvent


class Step(NamedTuple):
    """The execution as it is now (changed in place), the events to append, and what to do once both are saved."""

    execution: Execution
    history: list[HistoryEvent]
    commands: list[Command]
