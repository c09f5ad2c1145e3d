"""Succeed: the end, well.

https://docs.aws.amazon.com/step-functions/latest/dg/state-succeed.html
"""

from asl_engine.core.data import outcome_of_passing, selected_input
from asl_engine.core.execution import Branch
from asl_engine.core.run import Run
from asl_engine.core.transitions import leave
from asl_engine.definition.program import SucceedState


def execute(run: Run, branch: Branch, state: SucceedState) -> None:
    """End the branch with the state's output."""
    value = branch.input if state.jsonata else selected_input(run, branch, state)
    leave(run, branch, state, outcome_of_passing(run, branch, state, value, state.assign, state.output), None)
