"""The runner: what a server or a program asks to start, end and watch executions."""

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import replace
from functools import partial
from random import random
from typing import Any

from asl_engine.adapters.performer import Performer, TaskCall
from asl_engine.adapters.services import ServiceClients
from asl_engine.clock import Clock, SystemClock
from asl_engine.core.commands import (
    CancelTask,
    Command,
    ContinueLater,
    Finished,
    InvokeTask,
    RedriveMapRun,
    SetTimer,
    StartMapRun,
)
from asl_engine.core.events import (
    Continue,
    Event,
    Redrive,
    Start,
    Stop,
    TaskFailed,
    TaskHeartbeat,
    TaskStarted,
    TaskSucceeded,
)
from asl_engine.core.execution import Execution, Phase, Status
from asl_engine.core.map_run import Child
from asl_engine.core.redrivability import RedriveStatus
from asl_engine.core.redrive import redrive_status, redriven_ms
from asl_engine.core.restart import commands_to_resume
from asl_engine.definition.resources import ResourceKind, parse_resource
from asl_engine.jsontext import Json, loads
from asl_engine.runner.activities import Activities, ActivityTask
from asl_engine.runner.errors import (
    ExecutionDoesNotExist,
    ExecutionNotRedrivable,
    ExecutionStalled,
    RunnerStopped,
    TaskDoesNotExist,
    TaskTimedOut,
)
from asl_engine.runner.event_loop import Change, EventLoop
from asl_engine.runner.listeners import Listener, StatusListeners
from asl_engine.runner.map_runs import MapRuns
from asl_engine.runner.messages import Message
from asl_engine.runner.nested_executions import NestedExecutions
from asl_engine.runner.open_executions import OpenExecution, OpenExecutions, Programs
from asl_engine.runner.pool import WorkerPool
from asl_engine.runner.task_dispatch import TaskDispatch
from asl_engine.runner.task_tokens import MakeEvent, message_for_token
from asl_engine.store import Store
from asl_engine.store.records import Document, ExecutionRecord

logger = logging.getLogger(__name__)

WORKERS = 32  # tasks performed at once; they mostly wait for answers
TOLD_AGAIN_MS = 60_000  # longer than listeners take, and what they hear twice changes nothing


class Runner:
    """Runs the executions of one store. One process has one runner on a store.

    ``performer`` does the tasks, up to ``workers`` at once. With ``workers=0`` there is no thread at all:
    tasks are performed, and executions run, within the calls below (and ``run_until_closed``), by one
    calling thread. ``listeners`` get each change of status, in the engine's thread. The tasks of
    activities wait for workers that ask, unless the performer ``performs_activities``.

    Every method may be called from any thread, and returns once what it did is saved; but called within
    a turn (by a listener, or without threads by a task function) it returns first, its turn coming later.
    After a crash ``start_up`` goes on: what has ended is not run again, tasks under way are.
    """

    def __init__(
        self,
        store: Store,
        performer: Performer,
        *,
        clock: Clock | None = None,
        draw: Callable[[], float] = random,
        workers: int = WORKERS,
        listeners: Sequence[Listener] = (),
        clients: ServiceClients | None = None,
        performs_activities: bool = False,
    ) -> None:
        self.store, self.clock = store, clock or SystemClock()
        self._performer, self._performs_activities = performer, performs_activities
        self._programs = Programs(store)
        self._executions = OpenExecutions(store, self._programs)
        self._loop = EventLoop(
            store, self._executions, self.clock, draw, documents=self._documents, act=self._act, done=self._done
        )
        self._status_listeners = StatusListeners(self._record, listeners)
        self._pool = WorkerPool(workers)
        nested = NestedExecutions(self._status_listeners, self._loop.inbox)
        self._task_dispatch = TaskDispatch(performer, self._pool, self._loop.inbox, self.clock, nested)
        self._activities = Activities()
        self._map_runs = MapRuns(
            store,
            self.clock,
            draw,
            pool=self._pool,
            inbox=self._loop.inbox,
            status_listeners=self._status_listeners,
            new_child=self._new_child,
            clients=clients or ServiceClients(),
        )
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True) if workers else None
        self._stopped: RunnerStopped | None = None
        self._unanswered: set[Future[Any]] = set()
        self._turning: threading.Thread | None = None

    # --- life ---

    def start_up(self) -> None:
        """Take up the open executions of the store, and begin to run.

        Listeners get again what closed last: a crash may have come between the end and its report.
        """
        for record in self.store.closed_recently(TOLD_AGAIN_MS):
            self._status_listeners.notify_status(record)
        strays = self._map_runs.stop_strays()
        for arn in self.store.load_open():
            opened = None if arn in strays else self._executions.get(arn)
            if opened is not None:
                self._resume(opened)
        if self._thread is not None:
            self._thread.start()

    def _resume(self, opened: OpenExecution) -> None:
        for command in commands_to_resume(opened.program, opened.execution):
            self._act(opened, command)
        for branch in opened.execution.branches.values():
            if branch.phase is Phase.MAP_RUN and branch.map_run_arn is not None:
                self._map_runs.begin(opened, branch.map_run_arn)

    def close(self) -> None:
        """Stop running. Executions stay as they are saved; the store is the caller's to close."""
        self._stop(RunnerStopped("it was closed"))
        if self._thread is not None and self._thread.is_alive():
            self._thread.join()
        self._pool.close()

    def _stop(self, reason: RunnerStopped) -> None:
        self._stopped = self._stopped or reason
        self._loop.inbox.woken.set()

    def _run(self) -> None:
        """Take turns until the runner is closed or its store fails."""
        try:
            while self._stopped is None:
                self._turn()
        except Exception as error:
            logger.exception("The engine stops: it cannot go on after this.")
            self._stop(RunnerStopped(repr(error)))
        for future in list(self._unanswered):
            if not future.done():
                future.set_exception(self._stopped or RunnerStopped("it was closed"))

    def _turn(self) -> None:
        loop = self._loop
        if not loop.inbox:
            loop.wait(until_ms=self._task_dispatch.next_report_ms(), busy=self._pool.busy)
        self._task_dispatch.report_started()
        self._turning = threading.current_thread()
        try:
            loop.run_once()
        finally:
            self._turning = None

    def _ask(self, message: Message) -> Any:
        """Put a message before the engine and return the answer to it; None within a turn, which cannot wait."""
        if threading.current_thread() is self._turning:
            self._loop.inbox.put(message)
            return None
        answer = self._send(message)
        while self._thread is None and not answer.done():
            self._turn()
        return answer.result()

    def _send(self, message: Message) -> "Future[Any]":
        """Put a message before the engine and return its answer to be."""
        answer: Future[Any] = Future()
        message.answer = answer
        answer.set_running_or_notify_cancel()  # so that no caller can cancel what the engine is to answer
        self._unanswered.add(answer)
        answer.add_done_callback(self._unanswered.discard)
        if self._stopped is None:
            self._loop.inbox.put(message)
        else:
            with suppress(InvalidStateError):  # the engine, as it stopped, was first
                answer.set_exception(self._stopped)
        return answer

    # --- executions ---

    def start(self, record: ExecutionRecord, definition: str, role_arn: str = "") -> ExecutionRecord:
        """Start an execution of a definition (its text); the record's own ``definition`` is filled in.

        Returns the record, or that of the execution that runs already, by the same name with the same
        input. Raises ExecutionAlreadyExists.
        """
        opened, message = self._new(record, definition, role_arn)
        answered: ExecutionRecord | None = self._ask(message)
        return answered or opened.record

    def start_soon(self, record: ExecutionRecord, definition: str, role_arn: str = "") -> "Future[ExecutionRecord]":
        """Start an execution as ``start`` does, and return at once: the future has what that returns or raises."""
        return self._send(self._new(record, definition, role_arn)[1])

    def _new(self, record: ExecutionRecord, definition: str, role_arn: str) -> tuple[OpenExecution, Message]:
        digest, program = self._programs.of_text(definition)
        execution = Execution(
            arn=record.arn,
            name=record.name,
            state_machine_arn=record.state_machine_arn,
            input=loads(record.input),
            start_ms=record.start_ms,
            express=record.express,
            role_arn=role_arn,
            map_run_arn=record.map_run_arn,
        )
        opened = OpenExecution(replace(record, definition=digest), execution, program)
        return opened, Message(record.arn, Start(), new=opened, reply=lambda begun: begun.record)

    def _new_child(self, record: ExecutionRecord, definition: str, parent: OpenExecution, child: Child) -> Message:
        opened, message = self._new(record, definition, parent.execution.role_arn)
        opened.execution.parent_arn, opened.execution.map_item = parent.record.arn, child.item
        return message

    def stop(self, arn: str, error: str | None = None, cause: str | None = None) -> int:
        """Stop an execution; return when it stopped, in milliseconds. One that is closed stays as it is.

        Raises ExecutionDoesNotExist.
        """
        message = Message(arn, Stop(error, cause), reply=lambda opened: opened.execution.stop_ms)
        return self._ask(message) or self.clock.now_ms()

    def redrive(self, arn: str, client_token: str | None = None) -> int:
        """Redrive a closed execution; return when, in milliseconds. Safe to repeat with the same token.

        Raises ExecutionDoesNotExist, ExecutionNotRedrivable.
        """

        def redriven(opened: OpenExecution) -> int | None:
            return redriven_ms(opened.execution, client_token, self.clock.now_ms())

        def event(opened: OpenExecution) -> Event | None:
            return None if redriven(opened) is not None else self._redrive_event(opened, client_token)

        message = Message(arn, event, reply=lambda opened: redriven(opened) or opened.execution.redrive_ms)
        return self._ask(message) or self.clock.now_ms()

    def _redrive_event(self, opened: OpenExecution, client_token: str | None) -> Event:
        status, reason = redrive_status(opened.execution, self.clock.now_ms())
        if status == "REDRIVABLE_BY_MAP_RUN":
            raise ExecutionNotRedrivable("Execution is a child of a Map Run: redrive the execution that has started it")
        if status != "REDRIVABLE":
            raise ExecutionNotRedrivable(reason or "")
        return Redrive(client_token)

    def redrive_status(
        self, record: ExecutionRecord, *, machine_is_deleting: bool = False
    ) -> tuple[RedriveStatus, str | None]:
        """Return whether the execution can be redriven: DescribeExecution's redriveStatus and its reason."""
        settled = record.status in (Status.RUNNING, Status.SUCCEEDED)  # then its length does not matter
        length = 0 if settled else self.store.history_length(record.arn)
        return record.redrivability(self.clock.now_ms(), length, machine_is_deleting=machine_is_deleting)

    def when_closed(self, arn: str, notify: Listener) -> None:
        """Call ``notify`` once, from any thread, when the execution has closed; at once if it has."""
        self._status_listeners.when_closed(arn, notify)

    def closed(self, arn: str, timeout_seconds: float | None = None) -> ExecutionRecord:
        """Wait until an execution has closed and return its record. Raises TimeoutError.

        Without threads (``workers=0``) this runs the executions. Raises ExecutionStalled where nothing
        can move them on.
        """
        future: Future[ExecutionRecord] = Future()
        self.when_closed(arn, future.set_result)
        while self._thread is None and not future.done():
            if not self._loop.inbox and self._loop.timers.next_ms() is None:
                raise self._stalled(arn)
            self._turn()
        return future.result(timeout_seconds)

    def _stalled(self, arn: str) -> ExecutionStalled:
        opened = self._executions.get(arn)
        branches = opened.execution.branches.values() if opened is not None else ()
        return ExecutionStalled(arn, [branch.state for branch in branches if branch.phase is Phase.TASK])

    def _record(self, arn: str) -> ExecutionRecord | None:
        return self.store.execution(arn)

    # --- tasks ---

    def succeed_task(self, token: str, output: Json) -> None:
        """End a task well. Raises InvalidToken, TaskDoesNotExist, TaskTimedOut."""
        self._tell_task(token, lambda branch_id, number: TaskSucceeded(branch_id, number, output))

    def fail_task(self, token: str, error: str | None = None, cause: str | None = None) -> None:
        """Fail a task. Raises InvalidToken, TaskDoesNotExist, TaskTimedOut."""
        self._tell_task(token, lambda branch_id, number: TaskFailed(branch_id, number, error, cause))

    def beat(self, token: str) -> None:
        """Take a sign of life of a task's owner. Raises InvalidToken, TaskDoesNotExist, TaskTimedOut."""
        self._tell_task(token, TaskHeartbeat)

    def _tell_task(self, token: str, make_event: MakeEvent) -> None:
        message = message_for_token(token, make_event)
        try:
            self._ask(message)
        except ExecutionDoesNotExist:
            raise TaskDoesNotExist from None

    def take_activity_task(self, activity_arn: str, worker: str | None = None) -> ActivityTask | None:
        """Hand out the activity's next task: its token and its input as text. None when there is none now."""
        while (task := self._activities.take(activity_arn)) is not None:
            try:
                self._ask(message_for_token(task.task_token, partial(TaskStarted, worker_name=worker)))
            except (TaskTimedOut, ExecutionDoesNotExist):
                continue
            return task
        return None

    def perform(self, call: TaskCall) -> Json:
        """Perform a task outside of any execution. Raises TaskError."""
        return self._performer.perform(call)

    # --- Map Runs ---

    def describe_map_run(self, arn: str) -> dict[str, Json] | None:
        """Return a Map Run as DescribeMapRun answers, times in milliseconds; None if there is none."""
        return self._map_runs.describe(arn)

    def update_map_run(self, arn: str, **changes: float) -> bool:
        """Change concurrency or tolerated failures of a Map Run; return False where none of that ARN runs."""
        return self._map_runs.update(arn, **changes)

    # --- what the engine's turns call ---

    def _documents(self, opened: OpenExecution, command: Command) -> list[Document]:
        if isinstance(command, StartMapRun | RedriveMapRun):
            return self._map_runs.documents(opened, command)
        return []

    def _act(self, opened: OpenExecution, command: Command) -> None:
        arn = opened.record.arn
        match command:
            case InvokeTask() if self._is_for_worker(command):
                self._activities.offer(command)
            case InvokeTask():
                self._task_dispatch.perform(opened, command)
            case SetTimer(branch_id, token, at_ms):
                self._loop.timers.set(at_ms, arn, branch_id, token)
            case CancelTask():
                self._task_dispatch.cancel(opened, command)
                self._map_runs.cancel(arn, command.token)
            case StartMapRun() | RedriveMapRun():
                self._map_runs.begin(opened, command.map_run_arn)
            case ContinueLater():
                self._loop.inbox.put(Message(arn, Continue()))
            case Finished():
                self._loop.timers.drop(arn)

    def _is_for_worker(self, command: InvokeTask) -> bool:
        return not self._performs_activities and parse_resource(command.resource).kind is ResourceKind.ACTIVITY

    def _done(self, change: Change) -> None:
        record, was = change.opened.record, change.was
        if was is record:
            return
        if was is None or was.redrive_count != record.redrive_count:
            self._status_listeners.notify_status(replace(record, status="RUNNING", stop_ms=None, output=None))
        if record.status != Status.RUNNING:
            self._status_listeners.notify_status(record)
            self._status_listeners.notify_closed(record)
