"""``Runner``: starts, stops, redrives and watches executions."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import replace
from functools import partial
from random import random
from typing import Any

from asl_engine.adapters.performer import Performer
from asl_engine.adapters.services import ServiceClients
from asl_engine.clock import Clock, SystemClock
from asl_engine.core.advance import commands_to_resume
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
from asl_engine.core.work import any_activity
from asl_engine.definition.resources import ResourceKind, parse_resource
from asl_engine.errors import (
    ExecutionDoesNotExist,
    ExecutionNotRedrivable,
    ExecutionStalled,
    RunnerStopped,
    TaskDoesNotExist,
    TaskTimedOut,
)
from asl_engine.jsontext import Json, dumps, loads
from asl_engine.runner.event_loop import Change, EventLoop, Message
from asl_engine.runner.listeners import Listener, StatusListeners
from asl_engine.runner.map_runs import MapRuns
from asl_engine.runner.open_executions import OpenExecution, OpenExecutions, Programs
from asl_engine.runner.tasks import ActivityTask, MakeEvent, TaskDispatch, WorkerPool, message_for_token
from asl_engine.store import Store
from asl_engine.store.records import Document, ExecutionRecord

logger = logging.getLogger(__name__)

WORKERS = 32  # tasks performed at once; most of their time is waiting
REPORTED_AGAIN_MS = 60_000  # longer than listeners take; they must tolerate repetition


class Runner:
    """Runs the executions of one store, which has no other runner.

    ``performer`` performs tasks, up to ``workers`` at once. With ``workers=0`` there are no threads: executions and
    tasks run within the calls below, in the caller's thread. ``listeners`` get each change of status, in the engine's
    thread. Activity workers poll for the tasks of activities, unless the performer ``performs_activities``;
    a task of one for which ``activity_exists`` is false fails.

    Every method may be called from any thread, and returns after its change is saved; but a call within a turn (by a
    listener, or without threads by a task function) returns before it. After a crash ``start_up`` continues: finished
    states do not run again, tasks under way do.
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
        activity_exists: Callable[[str], bool] = any_activity,
    ) -> None:
        self.store, self.clock = store, clock or SystemClock()
        self.performer, self._performs_activities = performer, performs_activities
        self._programs = Programs(store)
        self._executions = OpenExecutions(store, self._programs)
        self._loop = EventLoop(
            store,
            self._executions,
            self.clock,
            draw,
            activity_exists,
            documents=self._documents,
            act=self._act,
            done=self._done,
        )
        self._status_listeners = StatusListeners(store.execution, listeners)
        self._pool = WorkerPool(workers)
        self._task_dispatch = TaskDispatch(performer, self._pool, self._loop.inbox, self.clock, self._status_listeners)
        # Not saved: the waiting executions fill it again after a restart.
        self._activity_tasks: dict[str, deque[ActivityTask]] = {}
        self.map_runs = MapRuns(
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
        """Resume the open executions of the store, and start running.

        Listeners get the executions that closed last again: a crash may have prevented their first report.
        """
        for record in self.store.closed_recently(REPORTED_AGAIN_MS):
            self._status_listeners.notify_status(record)
        strays = self.map_runs.stop_strays()
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
                self.map_runs.begin(opened, branch.map_run_arn)

    @property
    def unfinished_tasks(self) -> int:
        """The number of tasks that are waiting or under way."""
        return self._pool.unfinished

    def close(self) -> None:
        """Stop running. Executions remain saved; the caller closes the store."""
        self._stop(RunnerStopped("closed"))
        if self._thread is not None and self._thread.is_alive():
            self._thread.join()
        self._pool.close()

    def _stop(self, reason: RunnerStopped) -> None:
        self._stopped = self._stopped or reason
        self._loop.inbox.woken.set()

    def _run(self) -> None:
        try:
            while self._stopped is None:
                self._turn()
        except Exception as error:
            logger.exception("The engine has stopped, because its store failed. Fix that, then start it again.")
            self._stop(RunnerStopped(repr(error)))
        for future in list(self._unanswered):
            if not future.done():
                future.set_exception(self._stopped or RunnerStopped("closed"))

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
        """Send a message and return its answer; None within a turn, which cannot wait."""
        if threading.current_thread() is self._turning:
            self._loop.inbox.put(message)
            return None
        answer = self._send(message)
        while self._thread is None and not answer.done():
            self._turn()
        return answer.result()

    def _send(self, message: Message) -> "Future[Any]":
        answer: Future[Any] = Future()
        message.answer = answer
        answer.set_running_or_notify_cancel()  # no caller can cancel it from now on
        self._unanswered.add(answer)
        answer.add_done_callback(self._unanswered.discard)
        if self._stopped is None:
            self._loop.inbox.put(message)
        else:
            with suppress(InvalidStateError):  # the stopping engine answered first
                answer.set_exception(self._stopped)
        return answer

    # --- executions ---

    def start(self, record: ExecutionRecord, definition: str, role_arn: str = "") -> ExecutionRecord:
        """Start an execution of a definition's text, whose digest replaces the record's ``definition``.

        Returns the record, or that of the running execution with the same name and input. Raises
        ExecutionAlreadyExists.
        """
        opened, message = self._new(record, definition, role_arn)
        answered: ExecutionRecord | None = self._ask(message)
        return answered or opened.record

    def start_soon(self, record: ExecutionRecord, definition: str, role_arn: str = "") -> "Future[ExecutionRecord]":
        """Start an execution as ``start`` does, but return a future of its result at once."""
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
        """Stop an execution; return its stop time in milliseconds. Safe to repeat.

        Raises ExecutionDoesNotExist.
        """
        message = Message(arn, Stop(error, cause), reply=lambda opened: opened.execution.stop_ms)
        return self._ask(message) or self.clock.now_ms()

    def redrive(self, arn: str, client_token: str | None = None) -> int:
        """Redrive a closed execution and return the time in milliseconds. Idempotent by token.

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
            raise ExecutionNotRedrivable("Execution is a child of a Map Run: redrive the execution that started it")
        if status != "REDRIVABLE":
            raise ExecutionNotRedrivable(reason or "")
        return Redrive(client_token)

    def redrive_status(
        self, record: ExecutionRecord, *, machine_is_deleting: bool = False
    ) -> tuple[RedriveStatus, str | None]:
        """Return DescribeExecution's redriveStatus and its reason."""
        settled = record.status in (Status.RUNNING, Status.SUCCEEDED)  # then its length does not matter
        length = 0 if settled else self.store.history_length(record.arn)
        return record.redrivability(self.clock.now_ms(), length, machine_is_deleting=machine_is_deleting)

    def when_closed(self, arn: str, notify: Listener) -> None:
        """Call ``notify`` once when the execution closes, at once if it is closed."""
        self._status_listeners.when_closed(arn, notify)

    def closed(self, arn: str, timeout_seconds: float | None = None) -> ExecutionRecord:
        """Wait until an execution has closed and return its record. Raises TimeoutError.

        Without threads (``workers=0``) this runs the executions, and raises ExecutionStalled if nothing can
        continue them.
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

    # --- tasks ---

    def succeed_task(self, token: str, output: Json) -> None:
        """Report a task's success. Raises InvalidToken, TaskDoesNotExist, TaskTimedOut."""
        self._report_task(token, lambda branch_id, number: TaskSucceeded(branch_id, number, output))

    def fail_task(self, token: str, error: str | None = None, cause: str | None = None) -> None:
        """Report a task's failure. Raises InvalidToken, TaskDoesNotExist, TaskTimedOut."""
        self._report_task(token, lambda branch_id, number: TaskFailed(branch_id, number, error, cause))

    def beat(self, token: str) -> None:
        """Report a task's heartbeat. Raises InvalidToken, TaskDoesNotExist, TaskTimedOut."""
        self._report_task(token, TaskHeartbeat)

    def _report_task(self, token: str, make_event: MakeEvent) -> None:
        message = message_for_token(token, make_event)
        try:
            self._ask(message)
        except ExecutionDoesNotExist:
            raise TaskDoesNotExist from None

    def take_activity_task(self, activity_arn: str, worker: str | None = None) -> ActivityTask | None:
        """Return the activity's next task, or None. ``worker`` names the activity worker in the history."""
        tasks = self._activity_tasks.get(activity_arn)
        while tasks:
            try:
                task = tasks.popleft()
                self._ask(message_for_token(task.task_token, partial(TaskStarted, worker_name=worker)))
            except (IndexError, TaskTimedOut, ExecutionDoesNotExist):  # another worker has it, or it has ended
                continue
            return task
        return None

    # --- called by the engine's turns ---

    def _documents(self, opened: OpenExecution, command: Command) -> list[Document]:
        if isinstance(command, StartMapRun | RedriveMapRun):
            return self.map_runs.documents(opened, command)
        return []

    def _act(self, opened: OpenExecution, command: Command) -> None:
        arn = opened.record.arn
        match command:
            case InvokeTask() if self._is_for_worker(command):
                task = ActivityTask(command.task_token or "", dumps(command.parameters))
                self._activity_tasks.setdefault(command.resource, deque()).append(task)
            case InvokeTask():
                self._task_dispatch.perform(opened, command)
            case SetTimer(branch_id, token, at_ms):
                self._loop.timers.set(at_ms, arn, branch_id, token)
            case CancelTask():
                self._task_dispatch.cancel(opened, command)
                self.map_runs.cancel(arn, command.token)
            case StartMapRun() | RedriveMapRun():
                self.map_runs.begin(opened, command.map_run_arn)
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
