"""What has to be done again when an execution is loaded after a crash or a restart."""

from typing import cast

from asl_engine.core.commands import Command, ContinueLater, SetTimer
from asl_engine.core.execution import GOING_ON, Branch, Execution, Phase, Status
from asl_engine.core.states.task import invocation
from asl_engine.core.task_events import family_of
from asl_engine.core.timeouts import next_end_ms
from asl_engine.core.work import Work
from asl_engine.definition.program import Program, TaskState


def commands_to_resume(program: Program, execution: Execution) -> list[Command]:
    """Return the commands that whatever a running execution waits for needs, each with the token it had.

    Tasks in flight are to be performed again (one that was submitted only waited for; an activity that a
    worker has is the worker's still). A Map Run knows by itself how to go on: it gets no command here.
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
        if not (branch.started and family_of(state.resource).is_activity):
            work.commands.append(invocation(branch, state))
        end_ms = next_end_ms(branch)
        if end_ms is not None:
            work.set_timer(branch, end_ms)
    elif branch.phase in (Phase.WAIT, Phase.BACKOFF) and branch.wake_ms is not None:
        work.set_timer(branch, branch.wake_ms)
