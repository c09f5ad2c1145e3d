"""What can happen to an execution: the inputs of ``advance``."""

from dataclasses import dataclass

from asl_engine.jsontext import Json


@dataclass(frozen=True, slots=True)
class Start:
    """The execution begins."""


@dataclass(frozen=True, slots=True)
class Continue:
    """Go on with what is ready: after a step that stopped for its length, or after a restart."""


@dataclass(frozen=True, slots=True)
class BranchEvent:
    """What a branch waits for; late, and without effect, where the token is not the branch's any more."""

    branch_id: int
    token: int


@dataclass(frozen=True, slots=True)
class TimerFired(BranchEvent):
    """A timer came due: a Wait, a back-off, a task's timeout or heartbeat, or (branch 0) the execution's own."""


@dataclass(frozen=True, slots=True)
class TaskStarted(BranchEvent):
    """The task is under way (its Started event is written if it is not yet). Of an activity: who works on it."""

    worker_name: str | None = None


@dataclass(frozen=True, slots=True)
class TaskSubmitted(BranchEvent):
    """The call that hands out a task token was answered; the token's owner ends the task."""

    output: Json


@dataclass(frozen=True, slots=True)
class TaskSucceeded(BranchEvent):
    """The task ended well."""

    output: Json


@dataclass(frozen=True, slots=True)
class TaskFailed(BranchEvent):
    """The task failed. ``phase`` marks failures before it was under way: schedule, start, submit; else run."""

    error: str | None
    cause: str | None
    phase: str = "run"


@dataclass(frozen=True, slots=True)
class TaskHeartbeat(BranchEvent):
    """The task's owner lives."""


@dataclass(frozen=True, slots=True)
class MapRunEnded(BranchEvent):
    """A Map Run ended: ``results`` by index, or an error."""

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
    """RedriveExecution of a closed execution; ``client_token`` makes it idempotent."""

    client_token: str | None = None


type Event = Start | Continue | BranchEvent | Stop | Redrive
