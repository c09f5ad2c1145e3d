"""What can go wrong in the engine.

::

    EngineError
    ├── DefinitionRefused      a definition breaks rules of the language (definition/diagnostics.py)
    ├── ExpressionMalformed    a path, an intrinsic function or a JSONata expression can not be parsed
    └── StateFailed            a state failed by AWS's error name and cause; retriers and catchers see it
"""

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
    """The root of the engine's errors."""


class ExpressionMalformed(EngineError, ValueError):
    """A path, an intrinsic function or a JSONata expression can not be parsed: what, where in it, and why."""

    def __init__(self, expression: str, position: int, problem: str) -> None:
        super().__init__(expression, position, problem)
        self.expression, self.position, self.problem = expression, position, problem

    def __str__(self) -> str:
        return f"{self.expression!r} can not be read at character {self.position + 1}: {self.problem}"


class StateFailed(EngineError):
    """A state failed. ``location`` is the field whose expression failed, for an EvaluationFailed event.

    The head that AWS puts before a cause of States.Runtime and the like ("An error occurred while
    executing the state …") is core's to add: a cause raised by an expression is the tail alone, and
    ``headed`` says whether it wants the head.
    """

    def __init__(
        self, error: str | None, cause: str | None = None, *, location: str | None = None, headed: bool = False
    ) -> None:
        super().__init__(error, cause, location, headed)
        self.error, self.cause, self.location, self.headed = error, cause, location, headed

    def __str__(self) -> str:
        return f"{self.error}: {self.cause}" if self.cause else str(self.error)
