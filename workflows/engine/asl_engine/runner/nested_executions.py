"""Executions that a Task waits for: ``states:startExecution`` with .sync or .sync:2."""

from asl_engine.adapters.start_execution import nested_failure, nested_result
from asl_engine.core.commands import InvokeTask
from asl_engine.core.events import Event, Stop, TaskFailed, TaskSucceeded
from asl_engine.definition.resources import parse_resource
from asl_engine.jsontext import Json
from asl_engine.runner.listeners import StatusListeners
from asl_engine.runner.messages import Inbox, Message
from asl_engine.store.records import ExecutionRecord


class NestedExecutions:
    """Reports the end of an execution to the task that has started it, also across a restart."""

    def __init__(self, status_listeners: StatusListeners, inbox: Inbox) -> None:
        self._status_listeners, self._inbox = status_listeners, inbox
        self._children: dict[tuple[str, int], str] = {}  # execution and token of the task -> the one it waits for

    def watch(self, arn: str, command: InvokeTask, submission: Json) -> None:
        """Report the end of what the task has started, if it waits for that; ``submission`` is its call's answer."""
        if _waits(command):
            child = self._children[arn, command.token] = submission["ExecutionArn"]
            self._status_listeners.when_closed(child, lambda record: self._report(arn, command, record))

    def _report(self, arn: str, command: InvokeTask, record: ExecutionRecord) -> None:
        if self._children.pop((arn, command.token), None) is not None:
            self._inbox.put(Message(arn, _end(command, record)))

    def cancel(self, arn: str, token: int) -> None:
        """Stop what the task has started, as its end is no longer wanted."""
        child = self._children.pop((arn, token), None)
        if child is not None:
            self._inbox.put(Message(child, Stop()))


def _waits(command: InvokeTask) -> bool:
    resource = parse_resource(command.resource)
    return (resource.service, resource.action) == ("states", "startExecution") and resource.pattern.startswith("sync")


def _end(command: InvokeTask, record: ExecutionRecord) -> Event:
    if record.status == "SUCCEEDED":
        pattern = parse_resource(command.resource).pattern
        return TaskSucceeded(command.branch_id, command.token, nested_result(record, pattern))
    failure = nested_failure(record)
    return TaskFailed(command.branch_id, command.token, failure.error, failure.cause)
