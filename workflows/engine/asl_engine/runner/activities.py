"""The tasks of activities, waiting for the workers that ask for them."""

import threading
from collections import defaultdict, deque
from dataclasses import dataclass

from asl_engine.core.commands import InvokeTask
from asl_engine.jsontext import dumps


@dataclass(frozen=True, slots=True)
class ActivityTask:
    """One task of an activity: which it is, its token, and its input as JSON text."""

    execution_arn: str
    branch_id: int
    token: int
    task_token: str
    input: str


class Activities:
    """The queues, by activity. Not kept on disk: the executions that wait are, and fill them again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tasks: defaultdict[str, deque[ActivityTask]] = defaultdict(deque)

    def offer(self, execution_arn: str, command: InvokeTask) -> None:
        """Add a task."""
        text = dumps(command.parameters)
        task = ActivityTask(execution_arn, command.branch_id, command.token, command.task_token or "", text)
        with self._lock:
            self._tasks[command.resource].append(task)

    def take(self, activity_arn: str) -> ActivityTask | None:
        """Take out the oldest task, which may have timed out since; None when there is none."""
        with self._lock:
            tasks = self._tasks.get(activity_arn)
            return tasks.popleft() if tasks else None
