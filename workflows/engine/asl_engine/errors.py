"""What can go wrong in the engine.

::

    EngineError                  where, problem, remedy
    ├── CommandRefused           the command line asks for what cannot be done (__main__.py)
    ├── DefinitionRefused        a definition breaks rules of the language (definition/diagnostics.py)
    ├── ExpressionMalformed      a path, an intrinsic function or a JSONata expression cannot be parsed
    ├── StoreInUse, StoreTooNew  the file of a store cannot be used (store/)
    ├── RunnerStopped, ExecutionStalled  (runner/errors.py)
    ├── ApiError                 what the Step Functions API answers instead of a result; runner/errors.py has leaves
    └── StateFailed              a state failed by AWS's error name and cause; retriers and catchers see it
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
    """The root of the engine's errors: where something is wrong, what it is, and what to do."""

    def __init__(self, where: str | None, problem: str | None, remedy: str = "") -> None:
        super().__init__(where, problem, remedy)
        self.where, self.problem, self.remedy = where, problem, remedy

    def __str__(self) -> str:
        return f"{': '.join(filter(None, (self.where, self.problem)))} {self.remedy}".rstrip()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by the attributes: a leaf takes other arguments than its root."""
        return _unpickled, (type(self), self.args), self.__dict__


def _unpickled[E: EngineError](kind: type[E], arguments: tuple[object, ...]) -> E:
    return kind.__new__(kind, *arguments)


class ExpressionMalformed(EngineError, ValueError):
    """A path, an intrinsic function or a JSONata expression cannot be parsed: what, where in it, and why."""

    def __init__(self, expression: str, position: int, problem: str) -> None:
        super().__init__(f"{expression!r} cannot be read at character {position + 1}", problem)
        self.expression, self.position = expression, position


class StateFailed(EngineError):
    """A state failed. ``location`` is the field whose expression failed, for an EvaluationFailed event.

    The head that AWS puts before a cause of States.Runtime and the like ("An error occurred while
    executing the state …") is core's to add: a cause raised by an expression is the tail alone, and
    ``headed`` says whether it wants the head.
    """

    def __init__(
        self, error: str | None, cause: str | None = None, *, location: str | None = None, headed: bool = False
    ) -> None:
        super().__init__(error, cause)
        self.error, self.cause, self.location, self.headed = error, cause, location, headed


class ApiError(EngineError):
    """An error that the Step Functions API answers: its code, its message, and its HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code, message)
        self.code, self.message, self.status = code, message, status
