"""What an execution wants done: the outputs of ``advance``, performed once what it saved is on disk."""

from dataclasses import dataclass

from asl_engine.core.execution import Status
from asl_engine.core.map_run import MapRunSettings
from asl_engine.jsontext import Json


@dataclass(frozen=True, slots=True)
class BranchCommand:
    """What a branch wants done; what comes of it is reported with the same two numbers."""

    branch_id: int
    token: int


@dataclass(frozen=True, slots=True)
class InvokeTask(BranchCommand):
    """Perform a task and report TaskStarted, then TaskSucceeded or TaskFailed with this token.

    Performed again after a crash; then ``submission`` is what submitting the task has answered before, if
    it was submitted, and only its end is to be waited for. ``resource`` is the state's Resource;
    ``task_token`` is set for ``.waitForTaskToken`` and activities.
    """

    state: str
    resource: str
    parameters: Json
    task_token: str | None = None
    timeout_seconds: int | None = None
    heartbeat_seconds: int | None = None
    credentials: Json = None
    submission: Json = None


@dataclass(frozen=True, slots=True)
class SetTimer(BranchCommand):
    """Report TimerFired with this token at the given time; branch 0 is the execution itself."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class CancelTask(BranchCommand):
    """The task's outcome is no longer wanted (stopped, timed out, a sibling failed)."""


@dataclass(frozen=True, slots=True)
class StartMapRun(BranchCommand):
    """Start the Map Run of a distributed Map and report MapRunEnded.

    ``items`` is None when the settings' reader is to read them. Performed again after a crash, when it
    goes on with the run of that ARN.
    """

    map_run_arn: str
    items: list[Json] | None
    settings: MapRunSettings


@dataclass(frozen=True, slots=True)
class RedriveMapRun(BranchCommand):
    """Run again what has failed of a Map Run that has ended, under its ARN, and report MapRunEnded."""

    map_run_arn: str


@dataclass(frozen=True, slots=True)
class ContinueLater:
    """The step stopped for its length: report Continue soon."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The execution has closed."""

    status: Status


type Command = InvokeTask | SetTimer | CancelTask | StartMapRun | RedriveMapRun | ContinueLater | Finished
