"""Pass: its input, or its Result, goes on.

https://docs.aws.amazon.com/step-functions/latest/dg/state-pass.html
"""

from asl_engine.core.data import effective_input, outcome_of, outcome_of_passing
from asl_engine.core.execution import Branch
from asl_engine.core.transitions import leave
from asl_engine.core.work import Work
from asl_engine.definition.program import PassState


def execute(work: Work, branch: Branch, state: PassState) -> None:
    """Leave the state at once."""
    if state.jsonata:
        outcome = outcome_of_passing(work, branch, state, branch.input, state.assign, state.output)
    else:
        value = effective_input(work, branch, state)
        outcome = outcome_of(work, branch, state, state.result if state.has_result else value)
    leave(work, branch, state, outcome, state.next)
