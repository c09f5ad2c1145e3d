"""Has tasks performed, and reports how they ended."""

import logging
from collections import deque

from asl_engine.adapters.performer import Ended, Performer, TaskCall, TaskError
from asl_engine.clock import Clock
from asl_engine.core.commands import CancelTask, InvokeTask
from asl_engine.core.events import Event, TaskFailed, TaskStarted, TaskSubmitted, TaskSucceeded
from asl_engine.definition.resources import Resource, parse_resource
from asl_engine.runner.messages import Inbox, Message
from asl_engine.runner.nested_executions import NestedExecutions
from asl_engine.runner.open_executions import OpenExecution
from asl_engine.runner.pool import WorkerPool

logger = logging.getLogger(__name__)

# A task that takes longer is shown as started while it runs. Most end sooner, and then their Started
# event is saved together with the one that ends them.
LONG_MS = 1000


class TaskDispatch:
    """Gives tasks to a performer, in the pool's threads, and puts their ends into the inbox."""

    def __init__(
        self, performer: Performer, pool: WorkerPool, inbox: Inbox, clock: Clock, nested: NestedExecutions
    ) -> None:
        self._performer, self._pool, self._inbox, self._clock = performer, pool, inbox, clock
        self._nested = nested
        self._out: set[tuple[str, int]] = set()  # execution and token of each task that is wanted
        self._begun: deque[tuple[int, str, int, int]] = deque()

    def perform(self, opened: OpenExecution, command: InvokeTask) -> None:
        """Have a task performed; of one that was submitted before a restart, only wait for the end."""
        if command.submission is not None:
            self._nested.watch(opened.record.arn, command, command.submission)
            return
        self._out.add((opened.record.arn, command.token))
        self._pool.do(lambda: self._job(opened, command))

    def cancel(self, opened: OpenExecution, command: CancelTask) -> None:
        """Give a task up: one that has not begun never will; the end of one that has is not reported."""
        self._out.discard((opened.record.arn, command.token))
        self._nested.cancel(opened.record.arn, command.token)

    def _job(self, opened: OpenExecution, command: InvokeTask) -> None:
        arn, key = opened.record.arn, (opened.record.arn, command.token)
        if key not in self._out:
            return
        self._begun.append((self._clock.now_ms(), arn, command.branch_id, command.token))
        event = self._end_of(opened, command)
        if key in self._out:
            self._out.discard(key)
            self._inbox.put(Message(arn, event))
            if isinstance(event, TaskSubmitted):
                self._nested.watch(arn, command, event.output)

    def _end_of(self, opened: OpenExecution, command: InvokeTask) -> Event:
        branch_id, token = command.branch_id, command.token
        resource = parse_resource(command.resource)
        try:
            output = self._performer.perform(_call(opened, command))
        except TaskError as error:
            return TaskFailed(branch_id, token, error.error, error.cause, error.phase)
        except Exception as error:
            logger.exception("%s: performing %s failed by a fault of its adapter.", opened.record.arn, command.resource)
            return TaskFailed(branch_id, token, "States.Runtime", repr(error), _phase(resource))
        if isinstance(output, Ended):
            return TaskSucceeded(branch_id, token, output.output)
        if resource.submits:
            return TaskSubmitted(branch_id, token, output)
        return TaskSucceeded(branch_id, token, output)

    def next_report_ms(self) -> int | None:
        """Return when the next task under way will have taken long, or None."""
        while self._begun and (self._begun[0][1], self._begun[0][3]) not in self._out:
            self._begun.popleft()
        return self._begun[0][0] + LONG_MS if self._begun else None

    def report_started(self) -> None:
        """Report the tasks under way that take long as started."""
        now_ms = self._clock.now_ms()
        while (due_ms := self.next_report_ms()) is not None and due_ms <= now_ms:
            _, arn, branch_id, token = self._begun.popleft()
            self._inbox.put(Message(arn, TaskStarted(branch_id, token)))


def _phase(resource: Resource) -> str:
    return "submit" if resource.submits else "run"


def _call(opened: OpenExecution, command: InvokeTask) -> TaskCall:
    record = opened.record
    return TaskCall(
        command.resource,
        command.parameters,
        execution_arn=record.arn,
        state_machine_arn=record.state_machine_arn,
        region=record.state_machine_arn.split(":")[3],
        timeout_seconds=command.timeout_seconds,
        credentials=command.credentials,
        state=command.state,
        task_token=command.task_token,
    )
