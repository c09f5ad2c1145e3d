"""Pass, Choice, Succeed and Fail: the states that are left, or fail, as soon as they are entered.

https://docs.aws.amazon.com/step-functions/latest/dg/workflow-states.html
"""

from asl_engine.core.context import StateEnv
from asl_engine.core.data import effective_input, outcome_of, outcome_of_passing, selected_input, unexpected_type
from asl_engine.core.execution import Branch
from asl_engine.core.transitions import leave
from asl_engine.core.work import Work, value_text
from asl_engine.definition.program import ChoiceState, FailState, PassState, SucceedState
from asl_engine.errors import RUNTIME, StateFailed
from asl_engine.language.env import Expression

# https://docs.aws.amazon.com names States.NoChoiceMatched; what AWS writes in a history is this.
NO_RULE_HOLDS = "Failed to transition out of the state. The state does not point to a next state."


def execute_pass(work: Work, branch: Branch, state: PassState) -> None:
    """Leave the state with its Result, or with its effective input."""
    if state.jsonata:
        outcome = outcome_of_passing(work, branch, state, branch.input, state.assign, state.output)
    else:
        value = effective_input(work, branch, state)
        outcome = outcome_of(work, branch, state, state.result if state.has_result else value)
    leave(work, branch, state, outcome, state.next)


def execute_choice(work: Work, branch: Branch, state: ChoiceState) -> None:
    """Leave the state by the first rule that holds, or by Default."""
    value = branch.input if state.jsonata else selected_input(work, branch, state)
    env = StateEnv(work, branch, value)
    for rule in state.choices:
        if rule.condition(env):
            outcome = outcome_of_passing(work, branch, state, value, rule.assign, rule.output)
            leave(work, branch, state, outcome, rule.next)
            return
    if state.default is None:
        raise StateFailed(RUNTIME, NO_RULE_HOLDS, headed=True)
    outcome = outcome_of_passing(work, branch, state, value, state.assign, state.output)
    leave(work, branch, state, outcome, state.default)


def execute_succeed(work: Work, branch: Branch, state: SucceedState) -> None:
    """End the branch with the state's output."""
    value = branch.input if state.jsonata else selected_input(work, branch, state)
    leave(work, branch, state, outcome_of_passing(work, branch, state, value, state.assign, state.output), None)


def execute_fail(work: Work, branch: Branch, state: FailState) -> None:
    """Raise the state's error and cause."""
    error = _text(work, branch, state, "Error", state.error)
    raise StateFailed(error, _text(work, branch, state, "Cause", state.cause))


def _text(work: Work, branch: Branch, state: FailState, field: str, expression: Expression | None) -> str | None:
    if expression is None:
        return None
    value = expression.evaluate(StateEnv(work, branch, branch.input))
    if isinstance(value, str):
        return value
    if state.jsonata:
        raise unexpected_type(state, field, "string", value)
    path = state.raw.get(f"{field}Path")
    cause = f'The {field}Path field refers to value "{value_text(value)}" which is not a string: {path}'
    raise StateFailed(RUNTIME, cause, headed=True)
