"""Pass: its input, or its Result, goes on.

https://docs.aws.amazon.com/step-functions/latest/dg/state-pass.html
"""

from asl_engine.core.data import effective_input, outcome_of, outcome_of_passing
from asl_engine.core.execution import Branch
from asl_engine.core.run import Run
from asl_engine.core.transitions import leave
from asl_engine.definition.program import PassState


def execute(run: Run, branch: Branch, state: PassState) -> None:
    """Leave the state at once."""
    if state.jsonata:
        outcome = outcome_of_passing(run, branch, state, branch.input, state.assign, state.output)
    else:
        value = effective_input(run, branch, state)
        outcome = outcome_of(run, branch, state, state.result if state.has_result else value)
    leave(run, branch, state, outcome, state.next)
