"""What the operations ask of the engine: its runner, by the few methods they use.

Tokens of tasks are opaque texts. Texts in and out (input, output) are JSON as the client wrote it.
"""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

from asl_engine.adapters.performer import TaskCall
from asl_engine.clock import Clock
from asl_engine.jsontext import Json
from asl_engine.store.contract import ExecutionRecord, Store


class Engine(Protocol):
    """Starts, stops and redrives executions, and takes what the owners of task tokens report.

    Each method returns once what it did is on disk. Any thread may call.
    """

    @property
    def store(self) -> Store:
        """Where machines and executions are kept."""
        ...

    @property
    def clock(self) -> Clock:
        """The engine's time."""
        ...

    def start(self, record: ExecutionRecord, definition: str, role_arn: str = "") -> ExecutionRecord:
        """Start an execution of a definition (its text); the record of the one that runs.

        That is another one's where name and input are the same. Raises ExecutionAlreadyExists.
        """
        ...

    def start_soon(self, record: ExecutionRecord, definition: str, role_arn: str = "") -> "Future[ExecutionRecord]":
        """Start an execution as ``start`` does, and return at once: the future has what that returns or raises."""
        ...

    def when_closed(self, arn: str, tell: Callable[[ExecutionRecord], None]) -> None:
        """Call ``tell`` once, from any thread, when the execution has closed; at once if it has."""
        ...

    def stop(self, arn: str, error: str | None = None, cause: str | None = None) -> int:
        """Stop an execution; when it stopped, in milliseconds. Raises ExecutionDoesNotExist."""
        ...

    def redrive(self, arn: str, client_token: str | None = None) -> int:
        """Redrive a closed execution, once per token; when, in milliseconds. Raises ExecutionNotRedrivable."""
        ...

    def redrive_status(self, record: ExecutionRecord) -> tuple[str, str | None]:
        """Return whether the execution may be redriven: DescribeExecution's redriveStatus and its reason."""
        ...

    def succeed_task(self, token: str, output: Json) -> None:
        """End a task well. Raises InvalidToken, TaskDoesNotExist, TaskTimedOut."""
        ...

    def fail_task(self, token: str, error: str | None = None, cause: str | None = None) -> None:
        """Fail a task. Raises the same."""
        ...

    def beat(self, token: str) -> None:
        """Take a sign of life of a task's owner. Raises the same."""
        ...

    def take_activity_task(self, activity_arn: str, worker: str | None = None) -> tuple[str, str] | None:
        """Hand out the activity's next task: its token and its input. None when there is none now."""
        ...

    def perform(self, call: TaskCall) -> Json:
        """Perform a task outside of any execution. Raises TaskError."""
        ...

    def describe_map_run(self, arn: str) -> dict[str, Json] | None:
        """Return a Map Run as DescribeMapRun answers, times in milliseconds; None if there is none."""
        ...

    def update_map_run(
        self,
        arn: str,
        *,
        max_concurrency: int | None = None,
        tolerated_failure_count: int | None = None,
        tolerated_failure_percentage: float | None = None,
    ) -> bool:
        """Change what is given of a running Map Run; False where none of that ARN runs."""
        ...
