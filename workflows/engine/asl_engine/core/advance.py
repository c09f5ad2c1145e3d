"""``advance``: from what is saved and one event to what is saved next and what to do.

It runs every branch until it waits for something, within bounds. An event that is late or comes a
second time (its token is not the one that is waited for) changes nothing, so that whoever delivers
events need only deliver each at least once.
"""

from collections.abc import Callable
from typing import Any, cast

from asl_engine.core import events
from asl_engine.core.commands import ContinueLater
from asl_engine.core.execution import GOING_ON, ROOT_ID, Branch, Execution, Phase, Status
from asl_engine.core.execution_end import abort_execution, fail_for_history, time_execution_out
from asl_engine.core.redrive import redrive
from asl_engine.core.states import distributed_map, immediate, map_, parallel, task, wait
from asl_engine.core.timeouts import MAX_OPEN_MS, begin_execution_timeout, heard_from, next_end_ms
from asl_engine.core.transitions import enter, fail
from asl_engine.core.work import HistoryFull, Step, Work
from asl_engine.definition.program import Program, StateType, TaskState
from asl_engine.errors import StateFailed

# A step that takes longer than some milliseconds would keep others waiting: it stops, and goes on later.
MAX_TRANSITIONS = 1_000

EXECUTE: dict[StateType, Callable[[Work, Branch, Any], None]] = {
    StateType.PASS: immediate.execute_pass,
    StateType.TASK: task.execute,
    StateType.CHOICE: immediate.execute_choice,
    StateType.WAIT: wait.execute,
    StateType.SUCCEED: immediate.execute_succeed,
    StateType.FAIL: immediate.execute_fail,
    StateType.PARALLEL: parallel.execute,
    StateType.MAP: map_.execute,
}


def advance(
    program: Program, execution: Execution, event: events.Event, now_ms: int, draw: Callable[[], float]
) -> Step:
    """Take one event in and run until every branch waits.

    The execution is changed in place; ``changed`` and ``removed`` name the branches that a store has to
    write. ``draw`` gives 0 ≤ x < 1, for jitter and ids. Raises nothing on behalf of the definition: what
    goes wrong in a state is the execution's own failure.
    """
    work = Work(program, execution, now_ms, draw)
    try:
        _take_in(work, event)
        if execution.status is Status.RUNNING:
            _run_ready(work)
    except HistoryFull:
        fail_for_history(work)
    return Step(execution, work.history, work.commands)


def _take_in(work: Work, event: events.Event) -> None:
    execution = work.execution
    if isinstance(event, events.Redrive):
        redrive(work, event.client_token)
    elif execution.status is not Status.RUNNING:
        pass  # too late
    elif work.now_ms - execution.start_ms > MAX_OPEN_MS:
        time_execution_out(work)
    else:
        _take_in_running(work, event)


def _take_in_running(work: Work, event: events.Start | events.Continue | events.BranchEvent | events.Stop) -> None:
    match event:
        case events.Start():
            _start(work)
        case events.Continue():
            work.ready.extend(branch for branch in work.execution.branches.values() if branch.phase in GOING_ON)
        case events.Stop(error, cause):
            abort_execution(work, error, cause)
        case events.TimerFired(0, _):
            _execution_timer(work)
        case _:
            branch = work.execution.branches.get(event.branch_id)
            if branch is not None and branch.token == event.token:
                work.touch(branch)
                _branch_event(work, branch, event)


def _start(work: Work) -> None:
    execution = work.execution
    if execution.branches or execution.next_event_id > 1:
        return  # started already
    root = Branch(ROOT_ID, None, (), 0, work.program.start_at, input=execution.input)
    execution.next_branch_id = ROOT_ID + 1
    execution.branches[root.id] = root
    work.touch(root)
    details = {"input": work.input_text(root)}
    if execution.role_arn:
        details["roleArn"] = execution.role_arn
    work.note(0, "ExecutionStarted", details)
    begin_execution_timeout(work)
    work.wake(root)


def _execution_timer(work: Work) -> None:
    timeout_ms = work.execution.timeout_ms
    if timeout_ms is not None and work.now_ms >= timeout_ms:
        time_execution_out(work)


def _branch_event(work: Work, branch: Branch, event: events.BranchEvent) -> None:
    if isinstance(event, events.TimerFired):
        _branch_timer(work, branch)
        return
    state = work.state_of(branch)
    if isinstance(event, events.MapRunEnded):
        if branch.phase is Phase.MAP_RUN:
            distributed_map.ended(work, branch, state, event)
    elif branch.phase is Phase.TASK:
        _task_event(work, branch, cast("TaskState", state), event)
    if branch.phase in GOING_ON:
        work.wake(branch)


def _task_event(work: Work, branch: Branch, state: TaskState, event: events.BranchEvent) -> None:
    match event:
        case events.TaskStarted():
            task.started(work, branch, state, event.worker_name)
        case events.TaskSubmitted():
            task.submitted(work, branch, state, event.output)
        case events.TaskSucceeded():
            task.succeeded(work, branch, state, event.output)
        case events.TaskFailed():
            task.failed(work, branch, state, event)
        case events.TaskHeartbeat():
            heard_from(work, branch)


def _branch_timer(work: Work, branch: Branch) -> None:
    if branch.phase is Phase.TASK:
        _task_timer(work, branch)
    elif branch.phase in (Phase.WAIT, Phase.BACKOFF) and branch.wake_ms is not None:
        if work.now_ms < branch.wake_ms:
            work.set_timer(branch, branch.wake_ms)
            return
        if branch.phase is Phase.BACKOFF:
            branch.wake_ms = None
        branch.phase = Phase.ENTERED
        work.wake(branch)


def _task_timer(work: Work, branch: Branch) -> None:
    end_ms = next_end_ms(branch)
    if end_ms is None:
        return
    if work.now_ms < end_ms:
        work.set_timer(branch, end_ms)
        return
    state = cast("TaskState", work.state_of(branch))
    task.timed_out(work, branch, state, is_heartbeat=end_ms == branch.heartbeat_ms and end_ms != branch.timeout_ms)
    if branch.phase in GOING_ON:
        work.wake(branch)


def _run_ready(work: Work) -> None:
    """Run every ready branch until it waits or ends, or the step is long enough."""
    left = MAX_TRANSITIONS
    ready = work.ready
    while ready:
        branch = ready.popleft()
        if branch.phase in GOING_ON:  # else it was aborted, or has been run, since it became ready
            work.touch(branch)
        while branch.phase in GOING_ON:
            if left == 0:
                work.commands.append(ContinueLater())
                return
            left -= 1
            _transition(work, branch)


def _transition(work: Work, branch: Branch) -> None:
    state = work.state_of(branch)
    if branch.phase is Phase.READY:
        enter(work, branch, state)
    try:
        EXECUTE[state.type](work, branch, state)
    except StateFailed as failure:
        fail(work, branch, state, failure)
