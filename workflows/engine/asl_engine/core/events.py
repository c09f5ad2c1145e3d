"""Events, the inputs of ``advance``."""

from dataclasses import dataclass

from asl_engine.jsontext import Json


@dataclass(frozen=True, slots=True)
class Start:
    """Start the execution."""


@dataclass(frozen=True, slots=True)
class Continue:
    """Run the ready branches: after a step of maximum length, or after a restart."""


@dataclass(frozen=True, slots=True)
class BranchEvent:
    """An event that a branch waits for. Ignored if its token is not the branch's."""

    branch_id: int
    token: int


@dataclass(frozen=True, slots=True)
class TimerFired(BranchEvent):
    """The timer of a Wait, a back-off, a task's timeouts, or (branch 0) the execution."""


@dataclass(frozen=True, slots=True)
class TaskStarted(BranchEvent):
    """The task runs. ``worker_name`` is of an activity's worker."""

    worker_name: str | None = None


@dataclass(frozen=True, slots=True)
class TaskSubmitted(BranchEvent):
    """The call that submits the task was answered; the task ends later."""

    output: Json


@dataclass(frozen=True, slots=True)
class TaskSucceeded(BranchEvent):
    """The task succeeded."""

    output: Json


@dataclass(frozen=True, slots=True)
class TaskFailed(BranchEvent):
    """The task failed in the phase schedule, start, submit or run."""

    error: str | None
    cause: str | None
    phase: str = "run"


@dataclass(frozen=True, slots=True)
class TaskHeartbeat(BranchEvent):
    """SendTaskHeartbeat."""


@dataclass(frozen=True, slots=True)
class MapRunEnded(BranchEvent):
    """The Map Run ended with ``output``, or with an error."""

    output: Json = None
    error: str | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """StopExecution."""

    error: str | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class Redrive:
    """RedriveExecution; ``client_token`` is its idempotency token."""

    client_token: str | None = None


type Event = Start | Continue | BranchEvent | Stop | Redrive
