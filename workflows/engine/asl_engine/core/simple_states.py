"""Pass, Choice, Wait, Succeed and Fail: states without a task or children.

https://docs.aws.amazon.com/step-functions/latest/dg/workflow-states.html
"""

from asl_engine.core.data import (
    StateEnv,
    effective_input,
    integer_in,
    outcome_of,
    outcome_of_passing,
    selected_input,
    unexpected_type,
)
from asl_engine.core.execution import Branch, Phase
from asl_engine.core.transitions import leave
from asl_engine.core.work import Work, value_text
from asl_engine.definition.program import ChoiceState, FailState, PassState, SucceedState, WaitState
from asl_engine.errors import QUERY_EVALUATION_ERROR, RUNTIME, StateFailed
from asl_engine.jsontext import Json
from asl_engine.language.env import Expression
from asl_engine.language.times import parse_timestamp

# The documentation names States.NoChoiceMatched; AWS writes this into a history.
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
    value = selected_input(work, branch, state)
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
    value = selected_input(work, branch, state)
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


# --- Wait: its end is an absolute time, which neither a restart nor a redrive changes ---


def execute_wait(work: Work, branch: Branch, state: WaitState) -> None:
    """Set the timer, or leave the state if its end has passed."""
    if branch.wake_ms is None:
        branch.wake_ms = _end_ms(work, branch, state)
    if branch.wake_ms <= work.now_ms:
        leave_wait(work, branch, state)
        return
    branch.phase = Phase.WAIT
    work.new_token(branch)
    work.set_timer(branch, branch.wake_ms)


def leave_wait(work: Work, branch: Branch, state: WaitState) -> None:
    """Leave the state."""
    branch.wake_ms = None
    value = selected_input(work, branch, state)
    leave(work, branch, state, outcome_of_passing(work, branch, state, value, state.assign, state.output), state.next)


def _end_ms(work: Work, branch: Branch, state: WaitState) -> int:
    if state.timestamp is not None:
        return _timestamp_ms(state, _referred(work, branch, state, "Timestamp", state.timestamp))
    if state.seconds is not None:
        return work.now_ms + _seconds(state, _referred(work, branch, state, "Seconds", state.seconds)) * 1000
    return work.now_ms


def _referred(work: Work, branch: Branch, state: WaitState, field: str, expression: Expression) -> Json:
    env = StateEnv(work, branch, selected_input(work, branch, state))
    try:
        return expression.evaluate(env)
    except StateFailed as error:
        if state.jsonata:
            raise
        path = state.raw.get(f"{field}Path")
        cause = f"The {field}Path parameter does not reference an input value: {path}"
        raise StateFailed(RUNTIME, cause, headed=True) from error


def _seconds(state: WaitState, value: Json) -> int:
    seconds = value if isinstance(value, int) and not isinstance(value, bool) else None
    if seconds is None and not state.jsonata:
        seconds = integer_in(value)
    if seconds is not None and seconds >= 0:
        return seconds
    if state.jsonata:
        raise unexpected_type(state, "Seconds", "number", value)
    problem = "references a negative value" if seconds is not None else "cannot be parsed as a long value"
    given = f"{state.raw.get('SecondsPath')} == {value_text(value)}"
    raise StateFailed(RUNTIME, f"The SecondsPath parameter {problem}: {given}", headed=True)


def _timestamp_ms(state: WaitState, value: Json) -> int:
    try:
        return round(parse_timestamp(value) * 1000)
    except (TypeError, ValueError) as error:
        raise _bad_timestamp(state, value) from error


def _bad_timestamp(state: WaitState, value: Json) -> StateFailed:
    text, form = value_text(value), "ISO-8601 extended offset date-time format string"
    if state.jsonata:
        cause = f"The Timestamp field cannot be parsed as an {form}: {text}"
        return StateFailed(QUERY_EVALUATION_ERROR, cause, location="Timestamp", headed=True)
    path = state.raw.get("TimestampPath")
    cause = f"The TimestampPath parameter does not reference a valid {form}: {path} == {text}"
    return StateFailed(RUNTIME, cause, headed=True)
