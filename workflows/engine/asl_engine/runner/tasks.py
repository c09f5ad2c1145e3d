"""Tasks: performed by a pool of threads, by activity workers, or ended by token."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import NamedTuple

from asl_engine.adapters.performer import Ended, Performer, TaskCall, TaskError
from asl_engine.adapters.start_execution import nested_failure, nested_result
from asl_engine.clock import Clock
from asl_engine.core.commands import CancelTask, InvokeTask
from asl_engine.core.events import Event, Stop, TaskFailed, TaskStarted, TaskSubmitted, TaskSucceeded
from asl_engine.core.execution import Phase
from asl_engine.core.task_state import read_task_token
from asl_engine.definition.resources import parse_resource
from asl_engine.errors import InvalidToken, TaskTimedOut
from asl_engine.jsontext import Json
from asl_engine.runner.event_loop import Inbox, Message
from asl_engine.runner.listeners import StatusListeners
from asl_engine.runner.open_executions import OpenExecution
from asl_engine.store.records import ExecutionRecord

logger = logging.getLogger(__name__)

# A longer task is reported as started while it runs. The Started event of a shorter one is saved with its last.
LONG_MS = 1000

type Job = Callable[[], None]
type MakeEvent = Callable[[int, int], Event]  # from a branch's id and its token


class WorkerPool:
    """Up to ``size`` threads, started on demand; 0 runs jobs in the caller's thread.

    The threads are daemons: a blocked job does not keep the process alive, and runs again after the next start.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._unfinished = 0

    @property
    def unfinished(self) -> int:
        """The number of jobs that are waiting or under way."""
        return self._unfinished

    @property
    def busy(self) -> bool:
        """True if any job is queued or running."""
        return self._unfinished > 0

    def do(self, job: Job) -> None:
        """Run the job when a thread is free. It must not raise."""
        if not self._size:
            job()
            return
        with self._lock:
            self._unfinished += 1
            grow = self._threads < min(self._size, self._unfinished)
            self._threads += grow
        self._jobs.put(job)
        if grow:
            threading.Thread(target=self._work, name="engine-task", daemon=True).start()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            finally:
                with self._lock:
                    self._unfinished -= 1

    def close(self) -> None:
        """End the threads after their current jobs; drop the queued ones."""
        while not self._jobs.empty():
            self._jobs.get()
        for _ in range(self._threads):
            self._jobs.put(None)


class TaskDispatch:
    """Performs tasks in the pool's threads, and puts their results into the inbox.

    A nested execution (``states:startExecution`` with .sync) is reported when it closes, also after a restart.
    """

    def __init__(
        self, performer: Performer, pool: WorkerPool, inbox: Inbox, clock: Clock, status_listeners: StatusListeners
    ) -> None:
        self._performer, self._pool, self._inbox, self._clock = performer, pool, inbox, clock
        self._status_listeners = status_listeners
        self._out: set[tuple[str, int]] = set()  # execution and token of each task not cancelled
        self._begun: deque[tuple[int, str, int, int]] = deque()  # start in ms, execution, branch, token
        self._nested: dict[tuple[str, int], str] = {}  # execution and token of a task -> its nested execution

    def perform(self, opened: OpenExecution, command: InvokeTask) -> None:
        """Perform a task, or wait for one submitted before a restart."""
        if command.submission is not None:
            self._watch_nested(opened.record.arn, command, command.submission)
            return
        self._out.add((opened.record.arn, command.token))
        self._pool.do(lambda: self._job(opened, command))

    def cancel(self, opened: OpenExecution, command: CancelTask) -> None:
        """Cancel a task. The result of a running one is dropped."""
        key = (opened.record.arn, command.token)
        self._out.discard(key)
        nested = self._nested.pop(key, None)
        if nested is not None:
            self._inbox.put(Message(nested, Stop()))

    def _job(self, opened: OpenExecution, command: InvokeTask) -> None:
        arn, key = opened.record.arn, (opened.record.arn, command.token)
        if key not in self._out:
            return
        self._begun.append((self._clock.now_ms(), arn, command.branch_id, command.token))
        event = self._result_of(opened, command)
        if key in self._out:
            self._out.discard(key)
            self._inbox.put(Message(arn, event))
            if isinstance(event, TaskSubmitted):
                self._watch_nested(arn, command, event.output)

    def _result_of(self, opened: OpenExecution, command: InvokeTask) -> Event:
        branch_id, token = command.branch_id, command.token
        submits = parse_resource(command.resource).submits
        try:
            output = self._performer.perform(_call(opened, command))
        except TaskError as error:
            return TaskFailed(branch_id, token, error.error, error.cause, error.phase)
        except Exception as error:
            logger.exception("%s: %s failed with an error of its adapter.", opened.record.arn, command.resource)
            return TaskFailed(branch_id, token, "States.Runtime", repr(error), "submit" if submits else "run")
        if isinstance(output, Ended):
            return TaskSucceeded(branch_id, token, output.output)
        return TaskSubmitted(branch_id, token, output) if submits else TaskSucceeded(branch_id, token, output)

    def _watch_nested(self, arn: str, command: InvokeTask, submission: Json) -> None:
        resource = parse_resource(command.resource)
        if (resource.service, resource.action) == ("states", "startExecution") and resource.pattern.startswith("sync"):
            nested = self._nested[arn, command.token] = submission["ExecutionArn"]
            self._status_listeners.when_closed(nested, lambda record: self._report_nested(arn, command, record))

    def _report_nested(self, arn: str, command: InvokeTask, record: ExecutionRecord) -> None:
        if self._nested.pop((arn, command.token), None) is None:
            return
        event: Event
        if record.status == "SUCCEEDED":
            result = nested_result(record, parse_resource(command.resource).pattern)
            event = TaskSucceeded(command.branch_id, command.token, result)
        else:
            failure = nested_failure(record)
            event = TaskFailed(command.branch_id, command.token, failure.error, failure.cause)
        self._inbox.put(Message(arn, event))

    def next_report_ms(self) -> int | None:
        """Return the time at which the next running task counts as long, or None."""
        while self._begun and (self._begun[0][1], self._begun[0][3]) not in self._out:
            self._begun.popleft()
        return self._begun[0][0] + LONG_MS if self._begun else None

    def report_started(self) -> None:
        """Report the running tasks that count as long as started."""
        now_ms = self._clock.now_ms()
        while (due_ms := self.next_report_ms()) is not None and due_ms <= now_ms:
            _, arn, branch_id, token = self._begun.popleft()
            self._inbox.put(Message(arn, TaskStarted(branch_id, token)))


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


class ActivityTask(NamedTuple):
    """One task of an activity, with its input as JSON text."""

    task_token: str
    input: str


def message_for_token(text: str, make_event: MakeEvent) -> Message:
    """Return the message with a task's event. Raises InvalidToken; the message raises TaskTimedOut."""
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
