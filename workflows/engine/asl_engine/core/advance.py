"""``advance``, one step of an execution: state and event in, state and commands out.

A step runs every branch until it waits, within bounds. An event that is late or comes twice (its token is not
the branch's) changes nothing, so events need at-least-once delivery only.
"""

from collections.abc import Callable
from typing import Any, cast

from asl_engine.core import branching_states, events, simple_states, task_state
from asl_engine.core.commands import Command, ContinueLater, SetTimer
from asl_engine.core.execution import GOING_ON, ROOT_ID, Branch, Execution, Phase, Status
from asl_engine.core.redrive import redrive
from asl_engine.core.transitions import abort_execution, enter, fail, fail_for_history, time_execution_out
from asl_engine.core.work import MAX_OPEN_MS, HistoryFull, Step, Work, any_activity
from asl_engine.definition.program import Program, StateType, TaskState
from asl_engine.errors import StateFailed

# A longer step would delay other executions: it stops here and continues later.
MAX_TRANSITIONS = 1_000

EXECUTE: dict[StateType, Callable[[Work, Branch, Any], None]] = {
    StateType.PASS: simple_states.execute_pass,
    StateType.TASK: task_state.execute_task,
    StateType.CHOICE: simple_states.execute_choice,
    StateType.WAIT: simple_states.execute_wait,
    StateType.SUCCEED: simple_states.execute_succeed,
    StateType.FAIL: simple_states.execute_fail,
    StateType.PARALLEL: branching_states.execute_parallel,
    StateType.MAP: branching_states.execute_map,
}


def advance(
    program: Program,
    execution: Execution,
    event: events.Event,
    now_ms: int,
    draw: Callable[[], float],
    activity_exists: Callable[[str], bool] = any_activity,
) -> Step:
    """Apply one event and run until every branch waits.

    The execution is changed in place; its ``changed`` and ``removed`` are the branches that a store must write.
    ``draw`` gives 0 ≤ x < 1, for jitter and ids; ``activity_exists`` answers for an activity's ARN. A
    fault in the definition fails the execution and raises nothing.
    """
    work = Work(program, execution, now_ms, draw, activity_exists)
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
        pass  # late
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
        return  # started before
    root = Branch(ROOT_ID, None, (), 0, work.program.start_at, input=execution.input)
    execution.next_branch_id = ROOT_ID + 1
    execution.branches[root.id] = root
    work.touch(root)
    details = {"input": work.input_text(root)}
    if execution.role_arn:
        details["roleArn"] = execution.role_arn
    work.note(0, "ExecutionStarted", details)
    work.set_execution_timeout()
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
            branching_states.map_run_ended(work, branch, state, event)
    elif branch.phase is Phase.TASK:
        _task_event(work, branch, cast("TaskState", state), event)
    if branch.phase in GOING_ON:
        work.wake(branch)


def _task_event(work: Work, branch: Branch, state: TaskState, event: events.BranchEvent) -> None:
    match event:
        case events.TaskStarted():
            task_state.started(work, branch, state, event.worker_name)
        case events.TaskSubmitted():
            task_state.submitted(work, branch, state, event.output)
        case events.TaskSucceeded():
            task_state.succeeded(work, branch, state, event.output)
        case events.TaskFailed():
            task_state.failed(work, branch, state, event)
        case events.TaskHeartbeat():
            task_state.renew_heartbeat(work, branch)


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
    end_ms = task_state.next_end_ms(branch)
    if end_ms is None:
        return
    if work.now_ms < end_ms:
        work.set_timer(branch, end_ms)
        return
    state = cast("TaskState", work.state_of(branch))
    task_state.timed_out(
        work, branch, state, is_heartbeat=end_ms == branch.heartbeat_ms and end_ms != branch.timeout_ms
    )
    if branch.phase in GOING_ON:
        work.wake(branch)


def _run_ready(work: Work) -> None:
    """Run every ready branch until it waits or ends, or the step reaches MAX_TRANSITIONS."""
    left = MAX_TRANSITIONS
    ready = work.ready
    while ready:
        branch = ready.popleft()
        if branch.phase in GOING_ON:  # else it was aborted or has run since it became ready
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


# --- after a restart ---


def commands_to_resume(program: Program, execution: Execution) -> list[Command]:
    """Return the commands to repeat when a running execution is loaded, with their old tokens.

    Tasks in flight are performed again, but a submitted one is only awaited and an activity's task remains with its
    worker. A Map Run resumes by itself.
    """
    if execution.status is not Status.RUNNING:
        return []
    work = Work(program, execution, 0, lambda: 0.0)
    commands = work.commands
    if execution.timeout_ms is not None:
        commands.append(SetTimer(0, execution.redrive_count, execution.timeout_ms))
    for branch in execution.branches.values():
        _resume(work, branch)
    if any(branch.phase in GOING_ON for branch in execution.branches.values()):
        commands.append(ContinueLater())
    return commands


def _resume(work: Work, branch: Branch) -> None:
    if branch.phase is Phase.TASK:
        state = cast("TaskState", work.state_of(branch))
        if not (branch.started and task_state.family_of(state.resource).is_activity):
            work.commands.append(task_state.invocation(branch, state))
        end_ms = task_state.next_end_ms(branch)
        if end_ms is not None:
            work.set_timer(branch, end_ms)
    elif branch.phase in (Phase.WAIT, Phase.BACKOFF) and branch.wake_ms is not None:
        work.set_timer(branch, branch.wake_ms)
