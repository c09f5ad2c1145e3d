"""How data flows through a state.

JSONPath: InputPath, Parameters, the state's work, ResultSelector, ResultPath, OutputPath. JSONata:
Arguments, the state's work, Output. Assign is evaluated beside the output, by the variables as they
were, and takes effect once the state is left.
https://states-language.net/spec.html#input-and-output-processing
"""

import re
from typing import NamedTuple

from asl_engine.core.context import StateEnv
from asl_engine.core.execution import Branch
from asl_engine.core.work import Work, value_text
from asl_engine.definition.program import Catcher, State
from asl_engine.errors import DATA_LIMIT_EXCEEDED, QUERY_EVALUATION_ERROR, RUNTIME, StateFailed
from asl_engine.jsontext import MAX_DATA_BYTES, Json, size_bytes
from asl_engine.language import jsonata_values
from asl_engine.language.env import Expression
from asl_engine.language.jsonpath import CompiledPath

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
NO_RESULT = object()  # a state without a result of its own (Choice, Wait, …): its input goes on


class StateResult(NamedTuple):
    """What a state leaves behind: its output, and the variables it assigns."""

    output: Json
    assigned: dict[str, Json] | None = None


def selected_input(work: Work, branch: Branch, state: State) -> Json:
    """Return the input after InputPath."""
    if state.discard_input:
        value: Json = {}
    elif state.input_path is None:
        value = branch.input
    else:
        value = state.input_path.evaluate(StateEnv(work, branch, branch.input))
    if work.inspection is not None:
        work.inspect("afterInputPath", value)
    return value


def effective_input(work: Work, branch: Branch, state: State) -> Json:
    """Return what the state works on: InputPath, then Parameters; or Arguments."""
    value = branch.input if state.jsonata else selected_input(work, branch, state)
    if state.parameters is not None:
        value = state.parameters.evaluate(StateEnv(work, branch, value))
    if work.inspection is not None:
        work.inspect("afterArguments" if state.jsonata else "afterParameters", value)
    return value


def outcome_of(work: Work, branch: Branch, state: State, result: Json) -> StateResult:
    """Return what the state leaves behind when its work gave this result."""
    if state.jsonata:
        return _jsonata_outcome(work, branch, state.output, state.assign, result)
    if state.result_selector is not None:
        result = state.result_selector.evaluate(StateEnv(work, branch, result))
    assigned = None
    if state.assign is not None:
        assigned = state.assign.evaluate(StateEnv(work, branch, result))
    output = placed(branch.input, result, state.result_path, discard=state.discard_result)
    if work.inspection is not None:
        work.inspect("afterResultSelector", result)
        work.inspect("afterResultPath", output)
    return StateResult(_after_output_path(work, branch, state, output), assigned)


def outcome_of_passing(
    work: Work, branch: Branch, state: State, value: Json, assign: Expression | None, output: Expression | None
) -> StateResult:
    """Return what a state without a result leaves behind (Choice, Wait, Succeed): ``value``, its selected input."""
    if state.jsonata:
        return _jsonata_outcome(work, branch, output, assign, NO_RESULT)
    assigned = None if assign is None else assign.evaluate(StateEnv(work, branch, value))
    return StateResult(_after_output_path(work, branch, state, value), assigned)


def outcome_of_catching(work: Work, branch: Branch, state: State, catcher: Catcher, error_output: Json) -> StateResult:
    """Return what a state leaves behind when a catcher takes its error."""
    if state.jsonata:
        env = StateEnv(work, branch, branch.input, errorOutput=error_output)
        output = error_output if catcher.output is None else catcher.output.evaluate(env)
        return StateResult(output, None if catcher.assign is None else catcher.assign.evaluate(env))
    assigned = None
    if catcher.assign is not None:
        assigned = catcher.assign.evaluate(StateEnv(work, branch, error_output))
    return StateResult(placed(branch.input, error_output, catcher.result_path, discard=catcher.discard), assigned)


def placed(document: Json, value: Json, path: CompiledPath | None, *, discard: bool) -> Json:
    """Return the document with the value where ResultPath says."""
    if discard:
        return document
    return value if path is None else path.write(document, value)


def _jsonata_outcome(
    work: Work, branch: Branch, output: Expression | None, assign: Expression | None, result: Json
) -> StateResult:
    value = branch.input if result is NO_RESULT else result
    if output is None and assign is None:
        return StateResult(value)
    extra = {} if result is NO_RESULT else {"result": result}
    env = StateEnv(work, branch, branch.input, **extra)
    if output is not None:
        value = output.evaluate(env)
    return StateResult(value, None if assign is None else assign.evaluate(env))


def _after_output_path(work: Work, branch: Branch, state: State, output: Json) -> Json:
    if state.discard_output:
        return {}
    return output if state.output_path is None else state.output_path.evaluate(StateEnv(work, branch, output))


def check_size(name: str, text: str) -> None:
    """Raise StateFailed where a text is larger than AWS lets the state or task of that name hand on."""
    if len(text) > MAX_DATA_BYTES // 4 and size_bytes(text) > MAX_DATA_BYTES:
        raise StateFailed(
            DATA_LIMIT_EXCEEDED,
            f"The state/task '{name}' returned a result with a size exceeding "
            "the maximum number of bytes service limit.",
        )


def integer(work: Work, branch: Branch, state: State, field: str, expression: Expression | None) -> int | None:
    """Return the whole number that a field gives, None where it is left out; a path may give one as a text."""
    if expression is None:
        return None
    value = expression.evaluate(StateEnv(work, branch, branch.input))
    if isinstance(value, int | float) and not isinstance(value, bool) and value == int(value):
        return int(value)
    if isinstance(value, str) and not state.jsonata and _INTEGER.fullmatch(value):
        return int(value)
    raise no_number(state, field, "integer", value)


def no_number(state: State, field: str, kind: str, value: Json) -> StateFailed:
    """Return the error of a field whose value is not of the kind of number it wants: an integer, or a float."""
    if state.jsonata:
        return unexpected_type(state, field, "number", value)
    return StateFailed(
        RUNTIME,
        f'The {field}Path field refers to value "{value_text(value)}" which is not a valid {kind}: '
        f"{state.raw.get(f'{field}Path')}",
        headed=True,
    )


def unexpected_type(state: State, field: str, expected: str, value: Json) -> StateFailed:
    """Return the error of a JSONata field whose value is of another type than the state needs."""
    text = str(state.raw.get(field, "")).removeprefix("{%").removesuffix("%}").strip()
    return StateFailed(
        QUERY_EVALUATION_ERROR,
        f"The JSONata expression '{text}' specified for the field '{field}' "
        f"{jsonata_values.unexpected_type(value, expected)}",
        location=field,
        headed=True,
    )
