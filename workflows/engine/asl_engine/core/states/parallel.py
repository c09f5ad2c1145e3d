"""Parallel: every branch at once, each with the same input.

https://docs.aws.amazon.com/step-functions/latest/dg/state-parallel.html
"""

from asl_engine.core.children import begin_pending
from asl_engine.core.data import effective_input
from asl_engine.core.execution import Branch, Phase
from asl_engine.core.transitions import join
from asl_engine.core.work import Work
from asl_engine.definition.program import ParallelState


def execute(work: Work, branch: Branch, state: ParallelState) -> None:
    """Begin all branches."""
    value = effective_input(work, branch, state)
    started_id = work.emit(branch, "ParallelStateStarted")
    count = len(state.branches)
    children = work.add_children(branch, [(*branch.route, (state.name, number)) for number in range(count)])
    for child in children:
        child.input = value
    branch.phase = Phase.CHILDREN
    branch.child_limit = branch.child_left = count
    begin_pending(work, branch, state, started_id)
    if not children:
        join(work, branch, state)
