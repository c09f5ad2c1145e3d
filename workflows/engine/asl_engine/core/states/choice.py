"""Choice: the first rule that holds says where to go.

https://docs.aws.amazon.com/step-functions/latest/dg/state-choice.html
"""

from asl_engine.core.context import StateEnv
from asl_engine.core.data import outcome_of_passing, selected_input
from asl_engine.core.execution import Branch
from asl_engine.core.transitions import leave
from asl_engine.core.work import Work
from asl_engine.definition.program import ChoiceState
from asl_engine.errors import RUNTIME, StateFailed

# https://docs.aws.amazon.com names States.NoChoiceMatched; what AWS writes in a history is this.
NO_RULE_HOLDS = "Failed to transition out of the state. The state does not point to a next state."


def execute(work: Work, branch: Branch, state: ChoiceState) -> None:
    """Leave the state by the first rule that holds, or by Default."""
    value = branch.input if state.jsonata else selected_input(work, branch, state)
    env = StateEnv(work, branch, value)
    for rule in state.choices:
        if rule.condition.holds(env):
            outcome = outcome_of_passing(work, branch, state, value, rule.assign, rule.output)
            leave(work, branch, state, outcome, rule.next)
            return
    if state.default is None:
        raise StateFailed(RUNTIME, NO_RULE_HOLDS, headed=True)
    leave(
        work, branch, state, outcome_of_passing(work, branch, state, value, state.assign, state.output), state.default
    )
