"""What a runner refuses, named and worded as AWS's API does.

::

    EngineError
    ├── RunnerStopped                  the runner was closed, or its store failed
    ├── ExecutionStalled               nothing is left that could move an execution on
    └── ApiError
        ├── ExecutionAlreadyExists     the name is in use by a closed execution, or with another input
        ├── ExecutionDoesNotExist
        ├── ExecutionNotRedrivable
        ├── InvalidToken               a text that never was a task token
        ├── TaskDoesNotExist           the task's execution is gone
        └── TaskTimedOut               the task ended already: answered, timed out, or stopped
"""

from asl_engine.errors import ApiError, EngineError


class RunnerStopped(EngineError):
    """The runner does not run: it was closed, or could not save. What was answered before is on disk."""

    def __init__(self, reason: str) -> None:
        remedy = "Start another on the same store: it continues from what is saved."
        super().__init__(None, f"The runner has stopped ({reason}).", remedy)


class ExecutionStalled(EngineError):
    """An execution waits for something that cannot come, such as a task token that nothing holds."""

    def __init__(self, arn: str, states: list[str]) -> None:
        problem = f"nothing is left to do, and the execution waits in {', '.join(states)}."
        remedy = "Answer its task token (send_task_success) from the task's function, or set TimeoutSeconds."
        super().__init__(arn, problem, remedy)


class ExecutionAlreadyExists(ApiError):
    """The name is in use, and the request is not the one that began the running execution."""

    def __init__(self, arn: str) -> None:
        super().__init__("ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'")


class ExecutionDoesNotExist(ApiError):
    """There is no such execution."""

    def __init__(self, arn: str) -> None:
        super().__init__("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")


class ExecutionNotRedrivable(ApiError):
    """The execution cannot be redriven, for the reason that DescribeExecution gives too."""

    def __init__(self, reason: str) -> None:
        super().__init__("ExecutionNotRedrivable", reason)


class InvalidToken(ApiError):
    """The text never was a task token, or a token of a page."""

    def __init__(self) -> None:
        super().__init__("InvalidToken", "Invalid Token: 'Invalid token'")


class TaskDoesNotExist(ApiError):
    """The token was good, but its execution is gone."""

    def __init__(self) -> None:
        super().__init__("TaskDoesNotExist", "Task does not exist")


class TaskTimedOut(ApiError):
    """The task ended before: answered by another, timed out, or stopped."""

    def __init__(self) -> None:
        super().__init__("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
