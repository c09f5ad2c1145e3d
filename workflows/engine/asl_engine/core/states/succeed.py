"""Succeed: the end, well.

https://docs.aws.amazon.com/step-functions/latest/dg/state-succeed.html
"""

from asl_engine.core.data import outcome_of_passing, selected_input
from asl_engine.core.execution import Branch
from asl_engine.core.transitions import leave
from asl_engine.core.work import Work
from asl_engine.definition.program import SucceedState


def execute(work: Work, branch: Branch, state: SucceedState) -> None:
    """End the branch with the state's output."""
    value = branch.input if state.jsonata else selected_input(work, branch, state)
    leave(work, branch, state, outcome_of_passing(work, branch, state, value, state.assign, state.output), None)
