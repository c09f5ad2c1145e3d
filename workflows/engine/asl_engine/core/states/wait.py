"""Wait: until a time. The end is absolute, so that neither a restart nor a redrive changes it.

https://docs.aws.amazon.com/step-functions/latest/dg/state-wait.html
"""

from asl_engine.core.context import StateEnv
from asl_engine.core.data import outcome_of_passing, selected_input, unexpected_type
from asl_engine.core.execution import Branch, Phase
from asl_engine.core.transitions import leave
from asl_engine.core.work import Work, value_text
from asl_engine.definition.program import WaitState
from asl_engine.errors import QUERY_EVALUATION_ERROR, RUNTIME, StateFailed
from asl_engine.jsontext import Json
from asl_engine.language.env import Expression
from asl_engine.language.times import parse_timestamp


def execute(work: Work, branch: Branch, state: WaitState) -> None:
    """Wait, or go on at once where the time has come already."""
    if branch.wake_ms is None:
        branch.wake_ms = _end_ms(work, branch, state)
    if branch.wake_ms <= work.now_ms:
        wake(work, branch, state)
        return
    branch.phase = Phase.WAIT
    work.new_token(branch)
    work.set_timer(branch, branch.wake_ms)


def wake(work: Work, branch: Branch, state: WaitState) -> None:
    """Leave the state."""
    branch.wake_ms = None
    value = branch.input if state.jsonata else selected_input(work, branch, state)
    leave(work, branch, state, outcome_of_passing(work, branch, state, value, state.assign, state.output), state.next)


def _end_ms(work: Work, branch: Branch, state: WaitState) -> int:
    if state.timestamp is not None:
        return _timestamp_ms(state, _referred(work, branch, state, "Timestamp", state.timestamp))
    if state.seconds is not None:
        return work.now_ms + _seconds(state, _referred(work, branch, state, "Seconds", state.seconds)) * 1000
    return work.now_ms


def _referred(work: Work, branch: Branch, state: WaitState, field: str, expression: Expression) -> Json:
    if state.jsonata:
        return expression.evaluate(StateEnv(work, branch, branch.input))
    env = StateEnv(work, branch, selected_input(work, branch, state))
    try:
        return expression.evaluate(env)
    except StateFailed as error:
        path = state.raw.get(f"{field}Path")
        raise StateFailed(
            RUNTIME, f"The {field}Path parameter does not reference an input value: {path}", headed=True
        ) from error


def _seconds(state: WaitState, value: Json) -> int:
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    if is_integer and value >= 0:
        return int(value)
    if state.jsonata:
        raise unexpected_type(state, "Seconds", "number", value)
    problem = "references a negative value" if is_integer else "cannot be parsed as a long value"
    given = f"{state.raw.get('SecondsPath')} == {value_text(value)}"
    raise StateFailed(RUNTIME, f"The SecondsPath parameter {problem}: {given}", headed=True)


def _timestamp_ms(state: WaitState, value: Json) -> int:
    try:
        return round(parse_timestamp(value) * 1000)
    except (TypeError, ValueError) as error:
        raise _bad_timestamp(state, value) from error


def _bad_timestamp(state: WaitState, value: Json) -> StateFailed:
    text = value_text(value)
    if state.jsonata:
        return StateFailed(
            QUERY_EVALUATION_ERROR,
            f"The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: {text}",
            location="Timestamp",
            headed=True,
        )
    path = state.raw.get("TimestampPath")
    return StateFailed(
        RUNTIME,
        "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: "
        f"{path} == {text}",
        headed=True,
    )
