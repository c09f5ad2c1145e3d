"""Commands, the outputs of ``advance``: performed after its step is on disk."""

from dataclasses import dataclass

from asl_engine.core.items import Items
from asl_engine.core.map_run import MapRunSettings
from asl_engine.jsontext import Json


@dataclass(frozen=True, slots=True)
class BranchCommand:
    """A branch's command; its outcome is reported with the same two numbers."""

    branch_id: int
    token: int


@dataclass(frozen=True, slots=True)
class InvokeTask(BranchCommand):
    """Perform a task and report TaskStarted, then TaskSucceeded or TaskFailed.

    Repeated after a crash. If ``submission`` is set, the task was submitted before (this was the answer): only wait
    for its end. ``resource`` is the state's Resource; ``task_token`` is set for ``.waitForTaskToken`` and activities.
    """

    state: str
    resource: str
    parameters: Json
    task_token: str | None = None
    timeout_seconds: int | None = None
    credentials: Json = None
    submission: Json = None


@dataclass(frozen=True, slots=True)
class SetTimer(BranchCommand):
    """Report TimerFired at the given time; branch 0 is the execution itself."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class CancelTask(BranchCommand):
    """Cancel the task or Map Run: it was stopped, timed out, or a sibling failed."""


@dataclass(frozen=True, slots=True)
class StartMapRun(BranchCommand):
    """Start the Map Run of a distributed Map and report MapRunEnded.

    ``items`` is None if the settings' reader reads them. Safe to repeat: the run of that ARN continues.
    """

    map_run_arn: str
    items: Items | None
    settings: MapRunSettings


@dataclass(frozen=True, slots=True)
class RedriveMapRun(BranchCommand):
    """Run the failed children of an ended Map Run again, and report MapRunEnded."""

    map_run_arn: str


@dataclass(frozen=True, slots=True)
class ContinueLater:
    """Report Continue soon: the step reached its maximum length."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The execution has closed."""


type Command = InvokeTask | SetTimer | CancelTask | StartMapRun | RedriveMapRun | ContinueLater | Finished
