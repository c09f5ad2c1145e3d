"""Task tokens: from the text that a task's owner holds to an event for the execution that waits."""

from collections.abc import Callable

from asl_engine.core.events import Event
from asl_engine.core.execution import Phase
from asl_engine.core.task_events import read_task_token
from asl_engine.runner.activities import ActivityTask
from asl_engine.runner.errors import InvalidToken, TaskTimedOut
from asl_engine.runner.messages import Message
from asl_engine.runner.open_executions import OpenExecution

type MakeEvent = Callable[[int, int], Event]  # of the branch's id and its token


def message_for_token(text: str, make_event: MakeEvent) -> Message:
    """Return the message that brings a task's end or heartbeat. Raises InvalidToken.

    It is refused with TaskTimedOut where the task is no longer out.
    """
    try:
        arn, branch_id, token = read_task_token(text)
    except ValueError:
        raise InvalidToken from None

    def event(opened: OpenExecution) -> Event:
        if not _is_out(opened, branch_id, text):
            raise TaskTimedOut
        return make_event(branch_id, token)

    return Message(arn, event)


def message_for_worker(task: ActivityTask, started: Event) -> Message:
    """Return the message that tells that a worker has taken an activity's task; TaskTimedOut if it is late."""

    def event(opened: OpenExecution) -> Event:
        if not _is_out(opened, task.branch_id, task.task_token):
            raise TaskTimedOut
        return started

    return Message(task.execution_arn, event)


def _is_out(opened: OpenExecution, branch_id: int, task_token: str) -> bool:
    branch = opened.execution.branches.get(branch_id)
    return branch is not None and branch.phase is Phase.TASK and branch.task_token == task_token
