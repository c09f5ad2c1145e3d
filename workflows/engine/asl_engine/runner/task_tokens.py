"""Task tokens: from the text that a task's owner holds to an event for the execution that waits."""

from collections.abc import Callable

from asl_engine.core.events import Event
from asl_engine.core.execution import Phase
from asl_engine.core.task_events import read_task_token
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
        branch = opened.execution.branches.get(branch_id)
        if branch is None or branch.phase is not Phase.TASK or branch.task_token != text:
            raise TaskTimedOut
        return make_event(branch_id, token)

    return Message(arn, event)
