"""The tasks of activities, waiting for the workers that ask for them."""

import threading
from collections import defaultdict, deque
from typing import NamedTuple

from asl_engine.core.commands import InvokeTask
from asl_engine.jsontext import dumps


class ActivityTask(NamedTuple):
    """One task of an activity, as GetActivityTask hands it out: its token, and its input as JSON text."""

    task_token: str
    input: str


class Activities:
    """The queues, by activity. Not kept on disk: the executions that wait are, and fill them again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tasks: defaultdict[str, deque[ActivityTask]] = defaultdict(deque)

    def offer(self, command: InvokeTask) -> None:
        """Add a task."""
        with self._lock:
            self._tasks[command.resource].append(ActivityTask(command.task_token or "", dumps(command.parameters)))

    def take(self, activity_arn: str) -> ActivityTask | None:
        """Take out the oldest task, which may have timed out since; None when there is none."""
        with self._lock:
            tasks = self._tasks.get(activity_arn)
            return tasks.popleft() if tasks else None
