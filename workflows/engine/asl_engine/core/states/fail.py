"""Fail: the end, by an error of the definition's own.

https://docs.aws.amazon.com/step-functions/latest/dg/state-fail.html
"""

from asl_engine.core.context import StateEnv
from asl_engine.core.data import unexpected_type
from asl_engine.core.execution import Branch
from asl_engine.core.work import Work, value_text
from asl_engine.definition.program import FailState
from asl_engine.errors import RUNTIME, StateFailed
from asl_engine.language.env import Expression


def execute(work: Work, branch: Branch, state: FailState) -> None:
    """Raise the state's error and cause."""
    error = _text(work, branch, state, "Error", state.error, state.error_expression)
    raise StateFailed(error, _text(work, branch, state, "Cause", state.cause, state.cause_expression))


def _text(
    work: Work, branch: Branch, state: FailState, field: str, literal: str | None, expression: Expression | None
) -> str | None:
    if expression is None:
        return literal
    value = expression.evaluate(StateEnv(work, branch, branch.input))
    if isinstance(value, str):
        return value
    if state.jsonata:
        raise unexpected_type(state, field, "string", value)
    path = state.raw.get(f"{field}Path")
    cause = f'The {field}Path field refers to value "{value_text(value)}" which is not a string: {path}'
    raise StateFailed(RUNTIME, cause, headed=True)
