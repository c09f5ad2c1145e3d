"""What a runner refuses, named and worded as AWS's API does.

::

    EngineError
    ├── RunnerStopped                  the runner was closed, or its store failed
    ├── ExecutionStalled               nothing is left that could move an execution on
    └── RequestRefused
        ├── ExecutionAlreadyExists     the name is in use by a closed execution, or with another input
        ├── ExecutionDoesNotExist
        ├── ExecutionNotRedrivable
        ├── InvalidToken               a text that never was a task token
        ├── TaskDoesNotExist           the task's execution is gone
        └── TaskTimedOut               the task ended already: answered, timed out, or stopped
"""

from asl_engine.errors import EngineError


class RunnerStopped(EngineError):
    """The runner does not run: it was closed, or could not save. What was answered before is on disk."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"The runner has stopped ({self.reason}). Start another on the same store: it goes on where this one was."
        )


class ExecutionStalled(EngineError):
    """An execution waits for something that can not come, such as a task token that nobody has."""

    def __init__(self, arn: str, states: list[str]) -> None:
        super().__init__(arn, states)
        self.arn, self.states = arn, states

    def __str__(self) -> str:
        return (
            f"{self.arn}: nothing is left to do, and the execution waits in {', '.join(self.states)}. "
            "Answer its task token (send_task_success) from the task's function, or give the state a TimeoutSeconds."
        )


class RequestRefused(EngineError):
    """A request that AWS's API would refuse; the class's name is AWS's code."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    @property
    def code(self) -> str:
        """AWS's code of the error."""
        return type(self).__name__


class ExecutionAlreadyExists(RequestRefused):
    """The name is in use, and the request is not the one that began the running execution."""

    def __init__(self, arn: str) -> None:
        super().__init__(f"Execution Already Exists: '{arn}'")


class ExecutionDoesNotExist(RequestRefused):
    """There is no such execution."""

    def __init__(self, arn: str) -> None:
        super().__init__(f"Execution Does Not Exist: '{arn}'")


class ExecutionNotRedrivable(RequestRefused):
    """The execution can not be redriven, for the reason that DescribeExecution gives too."""


class InvalidToken(RequestRefused):
    """The text never was a task token."""

    def __init__(self) -> None:
        super().__init__("Invalid Token: 'Invalid token'")


class TaskDoesNotExist(RequestRefused):
    """The token was good, but its execution is gone."""

    def __init__(self) -> None:
        super().__init__("Task does not exist")


class TaskTimedOut(RequestRefused):
    """The task ended before: answered by another, timed out, or stopped."""

    def __init__(self) -> None:
        super().__init__("Task Timed Out: 'Provided task does not exist anymore'")
