"""The interface of performers, between the runner and everything outside."""

from dataclasses import dataclass
from typing import Protocol

from asl_engine.errors import StateFailed
from asl_engine.jsontext import Json

DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class TaskCall:
    """One attempt of a Task: its Resource and its evaluated parameters.

    ``timeout_seconds`` is the state's own limit, after which no answer is expected. ``credentials`` is the
    state's evaluated Credentials, ``state`` its name, and ``task_token`` ends a .waitForTaskToken task.
    """

    resource: str
    parameters: Json
    execution_arn: str = ""
    state_machine_arn: str = ""
    region: str = DEFAULT_REGION
    timeout_seconds: float | None = None
    credentials: Json = None
    state: str = ""
    task_token: str | None = None


class TaskError(StateFailed):
    """A task failed, with AWS's error name and cause.

    ``phase`` selects the event of the history: ``schedule``, ``start``, ``submit`` (the call of a .sync or
    .waitForTaskToken task was refused), or ``run``.
    """

    def __init__(self, error: str, cause: str | None = None, phase: str = "run") -> None:
        super().__init__(error, cause)
        self.phase = phase


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a .sync or .waitForTaskToken task in place of its submission, for tests."""

    output: Json


class Performer(Protocol):
    """Performs tasks. Called from many threads at once."""

    def perform(self, call: TaskCall) -> Json:
        """Return the task's result, or the answer to submitting a .sync or .waitForTaskToken task.

        Blocks until then. Raises TaskError; any other exception is a bug of the performer. May be called again
        for the same attempt after a crash.
        """
        ...
