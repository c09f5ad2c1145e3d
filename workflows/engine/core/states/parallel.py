"""Parallel: every branch at once, each with the same input.

https://docs.aws.amazon.com/step-functions/latest/dg/state-parallel.html
"""

from workflows.engine.core.children import begin_pending
from workflows.engine.core.data import effective_input
from workflows.engine.core.execution import Branch, Phase
from workflows.engine.core.run import Run
from workflows.engine.core.transitions import join
from workflows.engine.definition.program import ParallelState


def execute(run: Run, branch: Branch, state: ParallelState) -> None:
    """Begin all branches."""
    value = effective_input(run, branch, state)
    started_id = run.emit(branch, "ParallelStateStarted")
    count = len(state.branches)
    children = run.add_children(branch, [(*branch.route, (state.name, number)) for number in range(count)])
    for child in children:
        child.input = value
    branch.phase = Phase.CHILDREN
    branch.child_limit = branch.child_left = count
    begin_pending(run, branch, state, started_id)
    if not children:
        join(run, branch, state)
