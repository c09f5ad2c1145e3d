"""What performs a Task state's work: the one seam between the runner and everything outside."""

from dataclasses import dataclass
from typing import Any, Protocol

from asl_engine.errors import RUNTIME, StateFailed
from asl_engine.jsontext import Json

DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class TaskCall:
    """One attempt of a Task: its Resource as the definition has it, and the evaluated parameters.

    ``timeout_seconds`` is the state's own limit, so that an adapter does not wait longer for an
    answer that is no longer wanted. ``credentials`` is the state's evaluated Credentials. ``state`` names
    the state, and ``task_token`` is the token that ends a .waitForTaskToken task.
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
    """A task failed, by the error name and cause that AWS gives it.

    ``phase`` decides which event of the history says so: ``schedule``, ``start``, ``submit`` (the call of
    a .sync or .waitForTaskToken task was refused), or ``run``.
    """

    def __init__(self, error: str, cause: str | None = None, phase: str = "run") -> None:
        super().__init__(error, cause)
        self.phase = phase


@dataclass(frozen=True, slots=True)
class Ended:
    """What ends a .sync or .waitForTaskToken task at once, in place of the answer to submitting it: for tests."""

    output: Json


class Performer(Protocol):
    """Performs tasks. Called from many threads at once; blocks until there is an answer."""

    def perform(self, call: TaskCall) -> Json:
        """Return the task's result, or of a .sync or .waitForTaskToken task what submitting it answered.

        Raises TaskError; any other exception is a fault of the adapter. May be called again for the
        same attempt after a crash.
        """
        ...


def boto3_session() -> Any:
    """Return a new session of boto3. Raises TaskError where the extra ``aws`` is not installed."""
    try:
        import boto3
    except ImportError:
        cause = "boto3 is not installed, and this task needs it. Run: pip install 'asl-engine[aws]'"
        raise TaskError(RUNTIME, cause, "schedule") from None
    return boto3.Session()
