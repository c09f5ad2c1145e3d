"""Errors of the engine.

::

    EngineError                  where, problem, remedy
    ├── CommandRefused           the command line is invalid (__main__.py)
    ├── DefinitionRefused        a definition breaks rules of the language (definition/diagnostics.py)
    ├── ExpressionMalformed      a path, an intrinsic function or a JSONata expression cannot be parsed
    ├── StoreInUse, StoreTooNew  the file of a store cannot be used (store/)
    ├── HttpRefused              a request breaks the server's limits (server/http.py)
    ├── RunnerStopped            the runner was closed, or its store failed
    ├── ExecutionStalled         an execution waits for an event that cannot come
    ├── ApiError                 an error of the Step Functions API, in AWS's words
    │   ├── ExecutionAlreadyExists
    │   ├── ExecutionDoesNotExist
    │   ├── ExecutionNotRedrivable
    │   ├── InvalidToken
    │   ├── TaskDoesNotExist
    │   └── TaskTimedOut
    └── StateFailed              a state failed by AWS's error name and cause; retriers and catchers match it
        └── TaskError            a task failed (adapters/performer.py)
"""

from typing import Any

RUNTIME = "States.Runtime"
TIMEOUT = "States.Timeout"
HEARTBEAT_TIMEOUT = "States.HeartbeatTimeout"
TASK_FAILED = "States.TaskFailed"
DATA_LIMIT_EXCEEDED = "States.DataLimitExceeded"
RESULT_PATH_MATCH_FAILURE = "States.ResultPathMatchFailure"
INTRINSIC_FAILURE = "States.IntrinsicFailure"
QUERY_EVALUATION_ERROR = "States.QueryEvaluationError"
NO_CHOICE_MATCHED = "States.NoChoiceMatched"
EXCEED_TOLERATED_FAILURE_THRESHOLD = "States.ExceedToleratedFailureThreshold"
ITEM_READER_FAILED = "States.ItemReaderFailed"
RESULT_WRITER_FAILED = "States.ResultWriterFailed"
ALL = "States.ALL"


class EngineError(Exception):
    """Base of the engine's errors: where, problem, and remedy."""

    def __init__(self, where: str | None, problem: str | None, remedy: str = "") -> None:
        super().__init__(where, problem, remedy)
        self.where, self.problem, self.remedy = where, problem, remedy

    def __str__(self) -> str:
        return f"{': '.join(filter(None, (self.where, self.problem)))} {self.remedy}".rstrip()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by the attributes, as the classes' arguments differ."""
        return _unpickled, (type(self), self.args), self.__dict__


def _unpickled[E: EngineError](kind: type[E], arguments: tuple[object, ...]) -> E:
    return kind.__new__(kind, *arguments)


class ExpressionMalformed(EngineError, ValueError):
    """A path, an intrinsic function or a JSONata expression cannot be parsed."""

    def __init__(self, expression: str, position: int, problem: str) -> None:
        super().__init__(f"{expression!r} cannot be read at character {position + 1}", problem)
        self.expression, self.position = expression, position


class StateFailed(EngineError):
    """A state failed. ``location`` is the failed expression's field, for EvaluationFailed; "" for none.

    If ``headed``, core puts AWS's "An error occurred while executing the state …" before the cause.
    """

    def __init__(
        self, error: str | None, cause: str | None = None, *, location: str | None = None, headed: bool = False
    ) -> None:
        super().__init__(error, cause)
        self.error, self.cause, self.location, self.headed = error, cause, location, headed


class ApiError(EngineError):
    """An error of the Step Functions API, with its code and HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code, message)
        self.code, self.message, self.status = code, message, status


class RunnerStopped(EngineError):
    """The runner was closed or could not save. Its answers are on disk."""

    def __init__(self, reason: str) -> None:
        remedy = "Start another on the same store: it continues from the saved state."
        super().__init__(None, f"The runner has stopped ({reason}).", remedy)


class ExecutionStalled(EngineError):
    """An execution waits for an event that cannot come, such as a task token's."""

    def __init__(self, arn: str, states: list[str]) -> None:
        problem = f"the execution waits for a task in {', '.join(states)}, and nothing can complete it."
        remedy = "Answer its task token (send_task_success) from the task's function, or set TimeoutSeconds."
        super().__init__(arn, problem, remedy)


class ExecutionAlreadyExists(ApiError):
    """The name is in use by a closed execution, or by one with another input."""

    def __init__(self, arn: str) -> None:
        super().__init__("ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'")


class ExecutionDoesNotExist(ApiError):
    """The execution does not exist."""

    def __init__(self, arn: str) -> None:
        super().__init__("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")


class ExecutionNotRedrivable(ApiError):
    """The execution cannot be redriven, for DescribeExecution's reason."""

    def __init__(self, reason: str) -> None:
        super().__init__("ExecutionNotRedrivable", reason)


class InvalidToken(ApiError):
    """The text is not a task token, or not the token of a page."""

    def __init__(self) -> None:
        super().__init__("InvalidToken", "Invalid Token: 'Invalid token'")


class TaskDoesNotExist(ApiError):
    """The execution of the task token no longer exists."""

    def __init__(self) -> None:
        super().__init__("TaskDoesNotExist", "Task does not exist")


class TaskTimedOut(ApiError):
    """The task ended before: completed, timed out, or stopped."""

    def __init__(self) -> None:
        super().__init__("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
