"""Data flow through a state, and the environment of its expressions.

JSONPath: InputPath, Parameters, the state's work, ResultSelector, ResultPath, OutputPath. JSONata: Arguments,
the state's work, Output. Assign reads the variables from before the state and takes effect when the state exits.
https://states-language.net/spec.html#input-and-output-processing
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from asl_engine.core.execution import Branch
from asl_engine.core.work import Work, value_text
from asl_engine.definition.program import RETRIED_TYPES, Catcher, State
from asl_engine.errors import DATA_LIMIT_EXCEEDED, QUERY_EVALUATION_ERROR, RUNTIME, StateFailed
from asl_engine.jsontext import MAX_DATA_BYTES, Json, size_bytes
from asl_engine.language import jsonata_values
from asl_engine.language.env import Env, Expression
from asl_engine.language.jsonpath import CompiledPath
from asl_engine.language.times import print_timestamp

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?")
_NO_RESULT = object()  # of a state that passes its input on: Choice, Wait, …


class StateResult(NamedTuple):
    """A state's output and the variables it assigns."""

    output: Json
    assigned: dict[str, Json] | None = None


# --- the environment ---


def context_object(work: Work, branch: Branch) -> dict[str, Json]:
    """Return the context object of the branch's state.

    https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html
    """
    if work.given_context is not None:
        return work.given_context
    execution = work.execution
    described: dict[str, Json] = {
        "Id": execution.arn,
        "Input": execution.input,
        "Name": execution.name,
        "RoleArn": execution.role_arn,
        "StartTime": print_timestamp(execution.start_ms),
    }
    if not execution.express:
        described["RedriveCount"] = execution.redrive_count
    if execution.redrive_ms is not None:
        described["RedriveTime"] = print_timestamp(execution.redrive_ms)
    state: dict[str, Json] = {"Name": branch.state, "EnteredTime": print_timestamp(branch.entered_ms)}
    if work.state_of(branch).type in RETRIED_TYPES:
        state["RetryCount"] = sum(branch.retries.values())
    context: dict[str, Json] = {
        "Execution": described,
        "StateMachine": {"Id": execution.state_machine_arn, "Name": execution.state_machine_arn.split(":")[6]},
        "State": state,
    }
    if branch.task_token is not None:
        context["Task"] = {"Token": branch.task_token}
    item = _enclosing_item(work, branch)
    if item is not None:
        context["Map"] = {"Item": item}
    return context


def _enclosing_item(work: Work, branch: Branch) -> Json:
    enclosing: Branch | None = branch
    while enclosing is not None:
        if enclosing.is_item:
            return {"Index": enclosing.index, "Value": enclosing.item}
        enclosing = work.execution.branches[enclosing.parent_id] if enclosing.parent_id is not None else None
    return work.execution.map_item


class StateEnv(Env):
    """Environment of a state's expressions; builds the context object and ``$states`` at first use."""

    __slots__ = ("_branch", "_context", "_extra", "_item", "_states", "_work")

    def __init__(self, work: Work, branch: Branch, value: Json, *, item: Json = None, **extra: Json) -> None:
        """Use ``value`` as ``$``; ``extra`` are members of ``$states`` besides input and context."""
        self.input = value
        self.variables = branch.variables
        self.random, self.uuid, self.now_ms = work.draw, work.draw_uuid, work.now_ms
        self._work, self._branch, self._item, self._extra = work, branch, item, extra
        self._context: Mapping[str, Json] | None = None
        self._states: Mapping[str, Json] | None = None

    @property
    def context(self) -> Mapping[str, Json]:  # type: ignore[override]  # read-only here
        """The context object."""
        if self._context is None:
            self._context = context_object(self._work, self._branch)
            if self._item is not None:
                self._context = {**self._context, "Map": {"Item": self._item}}
        return self._context

    @property
    def states(self) -> Mapping[str, Any]:  # type: ignore[override]  # read-only here
        """JSONata's ``$states``."""
        if self._states is None:
            self._states = {"input": self._branch.input, "context": self.context, **self._extra}
        return self._states


# --- input and output ---


def selected_input(work: Work, branch: Branch, state: State) -> Json:
    """Return the input after InputPath, which JSONata does not have."""
    if state.jsonata:
        return branch.input
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
    """Return the input of the state's work: after InputPath and Parameters, or Arguments."""
    value = selected_input(work, branch, state)
    if state.parameters is not None:
        value = state.parameters.evaluate(StateEnv(work, branch, value))
    if work.inspection is not None:
        work.inspect("afterArguments" if state.jsonata else "afterParameters", value)
    return value


def outcome_of(work: Work, branch: Branch, state: State, result: Json) -> StateResult:
    """Return output and variables of a state whose work gave this result."""
    if state.jsonata:
        return _jsonata_outcome(work, branch, state.output, state.assign, result)
    if state.result_selector is not None:
        result = state.result_selector.evaluate(StateEnv(work, branch, result))
    assigned = None
    if state.assign is not None:
        assigned = state.assign.evaluate(StateEnv(work, branch, result))
    output = _placed(branch.input, result, state.result_path, discard=state.discard_result)
    if work.inspection is not None:
        work.inspect("afterResultSelector", result)
        work.inspect("afterResultPath", output)
    return StateResult(_after_output_path(work, branch, state, output), assigned)


def outcome_of_passing(
    work: Work, branch: Branch, state: State, value: Json, assign: Expression | None, output: Expression | None
) -> StateResult:
    """Return output and variables of a state without a result; ``value`` is its selected input."""
    if state.jsonata:
        return _jsonata_outcome(work, branch, output, assign, _NO_RESULT)
    assigned = None if assign is None else assign.evaluate(StateEnv(work, branch, value))
    return StateResult(_after_output_path(work, branch, state, value), assigned)


def outcome_of_catching(work: Work, branch: Branch, state: State, catcher: Catcher, error_output: Json) -> StateResult:
    """Return output and variables of a state whose error a catcher handles."""
    if state.jsonata:
        env = StateEnv(work, branch, branch.input, errorOutput=error_output)
        output = error_output if catcher.output is None else catcher.output.evaluate(env)
        return StateResult(output, None if catcher.assign is None else catcher.assign.evaluate(env))
    assigned = None
    if catcher.assign is not None:
        assigned = catcher.assign.evaluate(StateEnv(work, branch, error_output))
    return StateResult(_placed(branch.input, error_output, catcher.result_path, discard=catcher.discard), assigned)


def _placed(document: Json, value: Json, path: CompiledPath | None, *, discard: bool) -> Json:
    if discard:
        return document
    return value if path is None else path.write(document, value)


def _jsonata_outcome(
    work: Work, branch: Branch, output: Expression | None, assign: Expression | None, result: Json
) -> StateResult:
    value = branch.input if result is _NO_RESULT else result
    if output is None and assign is None:
        return StateResult(value)
    extra = {} if result is _NO_RESULT else {"result": result}
    env = StateEnv(work, branch, branch.input, **extra)
    if output is not None:
        value = output.evaluate(env)
    return StateResult(value, None if assign is None else assign.evaluate(env))


def _after_output_path(work: Work, branch: Branch, state: State, output: Json) -> Json:
    if state.discard_output:
        return {}
    return output if state.output_path is None else state.output_path.evaluate(StateEnv(work, branch, output))


# --- checks of values ---


def check_size(name: str, text: str) -> None:
    """Raise StateFailed for a text over AWS's limit, of the state or task ``name``."""
    if len(text) > MAX_DATA_BYTES // 4 and size_bytes(text) > MAX_DATA_BYTES:
        raise StateFailed(
            DATA_LIMIT_EXCEEDED,
            f"The state/task '{name}' returned a result with a size exceeding "
            "the maximum number of bytes service limit.",
        )


def integer(work: Work, branch: Branch, state: State, field: str, expression: Expression | None) -> int | None:
    """Return a field's integer, None without the field; JSONPath also takes digits in a string."""
    if expression is None:
        return None
    value = expression.evaluate(StateEnv(work, branch, branch.input))
    if isinstance(value, int | float) and not isinstance(value, bool) and value == int(value):
        return int(value)
    if not state.jsonata and (digits := integer_in(value)) is not None:
        return digits
    raise _invalid_number(state, field, "integer", value)


def integer_in(value: Json) -> int | None:
    """Return the integer that a string has as digits, or None."""
    return int(value) if isinstance(value, str) and _INTEGER.fullmatch(value) else None


def real_number(work: Work, branch: Branch, state: State, field: str, expression: Expression) -> float:
    """Return a field's number; JSONPath also takes digits in a string."""
    value = expression.evaluate(StateEnv(work, branch, branch.input))
    is_text = isinstance(value, str) and not state.jsonata and _NUMBER.fullmatch(value)
    if is_text or (isinstance(value, int | float) and not isinstance(value, bool)):
        return float(value)
    raise _invalid_number(state, field, "float", value)


def _invalid_number(state: State, field: str, kind: str, value: Json) -> StateFailed:
    """Return the error for a field without a valid "integer" or "float"."""
    if state.jsonata:
        return unexpected_type(state, field, "number", value)
    return StateFailed(
        RUNTIME,
        f'The {field}Path field refers to value "{value_text(value)}" which is not a valid {kind}: '
        f"{state.raw.get(f'{field}Path')}",
        headed=True,
    )


def unexpected_type(state: State, field: str, expected: str, value: Json) -> StateFailed:
    """Return the error for a JSONata field whose value has another type than ``expected``."""
    text = str(state.raw.get(field, "")).removeprefix("{%").removesuffix("%}").strip()
    return StateFailed(
        QUERY_EVALUATION_ERROR,
        f"The JSONata expression '{text}' specified for the field '{field}' "
        f"{jsonata_values.unexpected_type(value, expected)}",
        location=field,
        headed=True,
    )
