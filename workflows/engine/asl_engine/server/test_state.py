"""Evaluates one state for TestState, and tells what each step of its data flow gave.

Nothing is started or kept. A Task without a mock calls its service; Map and Parallel states are always
mocked; a Wait state does not wait.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from asl_engine.core.data import unexpected_type
from asl_engine.core.map_run import BatchSettings, Child, batched
from asl_engine.core.retry import delay_before, matches
from asl_engine.definition.program import (
    ChoiceState,
    FailState,
    ItemBatcher,
    MapState,
    ParallelState,
    PassState,
    State,
    TaskState,
    WaitState,
)
from asl_engine.errors import EXCEED_TOLERATED_FAILURE_THRESHOLD, NO_CHOICE_MATCHED, RUNTIME, StateFailed
from asl_engine.jsontext import Json
from asl_engine.language.env import Env
from asl_engine.language.protocols import Expression
from asl_engine.server.test_request import TrialRequest

# Calls the service of a Task: resource, parameters, credentials -> result. Raises StateFailed.
type CallTask = Callable[[str, Json, Json], Json]


def text_of(value: Json) -> str:
    """Return a value as TestState prints it: AWS's recordings have a space after each comma and colon."""
    return json.dumps(value, ensure_ascii=False)


@dataclass(slots=True)
class Trial:
    """The evaluation of one state: what its steps gave so far."""

    request: TrialRequest
    call_task: CallTask
    inspection: dict[str, Json] = field(default_factory=dict)
    numbers: dict[str, Json] = field(default_factory=dict)  # of a Map: told as numbers, not as texts
    variables: dict[str, Json] = field(default_factory=dict)
    assigned: bool = False

    @property
    def state(self) -> State:
        """The state under test."""
        return self.request.state

    def env(self, value: Json, **states: Json) -> Env:
        """Return what an expression of the state may look at."""
        known = {"input": self.request.input, "context": self.request.context, **states}
        return Env(value, self.request.context, self.request.variables, known if self.state.jsonata else None)

    def note(self, name: str, value: Json) -> None:
        """Keep what a step gave."""
        self.inspection[name] = text_of(value)

    def assign(self, template: Expression | None, env: Env) -> None:
        """Take the variables that a template assigns."""
        if template is not None:
            self.variables = {**self.variables, **template.evaluate(env)}
            self.assigned = True


def evaluate_state(request: TrialRequest, call_task: CallTask) -> tuple[dict[str, Json], dict[str, Json]]:
    """Return the answer and the inspection data of one TestState."""
    trial = Trial(request, call_task, variables=dict(request.variables), assigned=request.has_variables)
    trial.note("input", request.input)
    try:
        answer = _succeed(trial)
    except StateFailed as failure:
        answer = _fail(trial, failure)
    if trial.assigned:
        trial.note("variables", trial.variables)
    return answer, trial.inspection | trial.numbers


def _succeed(trial: Trial) -> dict[str, Json]:
    state = trial.state
    value = _effective_input(trial)
    following = state.next
    if isinstance(state, FailState):
        raise _failure_of(trial, state, value)
    if isinstance(state, ChoiceState):
        following, output = _choose(trial, state, value)
    elif isinstance(state, PassState | TaskState | MapState | ParallelState):
        output = _after_work(trial, value, _work(trial, value))
    else:
        if isinstance(state, WaitState):
            _check_wait(trial, state, value)
        output = _output(trial, value, state.output)
        trial.assign(state.assign, trial.env(value))
    answer: dict[str, Json] = {"status": "SUCCEEDED", "output": text_of(output)}
    return answer | {"nextState": following} if following else answer


def _effective_input(trial: Trial) -> Json:
    state, given = trial.state, trial.request.input
    if state.jsonata:
        return given
    value = (
        {}
        if state.discard_input
        else given
        if state.input_path is None
        else state.input_path.evaluate(trial.env(given))
    )
    if not isinstance(state, ParallelState) and not (isinstance(state, PassState) and state.has_result):
        trial.note("afterInputPath", value)
    return value


def _work(trial: Trial, value: Json) -> Json:
    """Return what the state's own work gives: a Pass its data, the others their service's or the mock's result."""
    state = trial.state
    if isinstance(state, PassState):
        return _pass_result(trial, state, value)
    if isinstance(state, MapState):
        return _map_result(trial, state, value)
    parameters = value if state.parameters is None else state.parameters.evaluate(trial.env(value))
    if isinstance(state, TaskState):
        trial.note("afterArguments" if state.jsonata else "afterParameters", parameters)
    result = _mocked(trial) if trial.request.mock else _called(trial, parameters, value)
    if isinstance(state, TaskState):
        trial.note("result", result)
    return result


def _pass_result(trial: Trial, state: PassState, value: Json) -> Json:
    if state.has_result:
        trial.note("result", state.result)
        return state.result
    result = value if state.parameters is None else state.parameters.evaluate(trial.env(value))
    if not state.jsonata:
        trial.note("afterParameters", result)
    return result


def _called(trial: Trial, parameters: Json, value: Json) -> Json:
    state = trial.state
    assert isinstance(state, TaskState)  # noqa: S101  for the type checker: Map and Parallel are always mocked
    credentials = state.credentials.evaluate(trial.env(value)) if state.credentials else None
    return trial.call_task(state.resource, parameters, credentials)


def _mocked(trial: Trial) -> Json:
    mock = trial.request.mock
    assert mock is not None  # noqa: S101  for the type checker: callers have looked
    if mock.failed:
        raise StateFailed(mock.error or "", mock.cause)
    return mock.result


# --- Map ---------------------------------------------------------------------------------------


def _map_result(trial: Trial, state: MapState, value: Json) -> Json:
    items = _map_items(trial, state, value)
    concurrency = _number(trial, state.max_concurrency, state.max_concurrency_expression, value)
    trial.numbers["maxConcurrency"] = _whole(concurrency) or 0
    count = _number(trial, state.tolerated_failure_count, state.tolerated_failure_count_expression, value)
    share = _number(trial, state.tolerated_failure_percentage, state.tolerated_failure_percentage_expression, value)
    if count is not None:
        trial.numbers["toleratedFailureCount"] = _whole(count)
    if share is not None:
        trial.numbers["toleratedFailurePercentage"] = float(share)
    failures = trial.request.failure_count or 0
    too_many = count is not None and failures > count
    too_large = share is not None and bool(items) and failures * 100 / len(items) > share
    if too_many or too_large:
        raise StateFailed(EXCEED_TOLERATED_FAILURE_THRESHOLD, "The specified tolerated failure threshold was exceeded")
    return _mocked(trial)


def _map_items(trial: Trial, state: MapState, value: Json) -> list[Json]:
    env = trial.env(value)
    if state.item_reader is not None:
        items = trial.request.reader_data or []
    elif state.jsonata:
        items = value if state.items is None else state.items.evaluate(env)
        if not isinstance(items, list):
            raise unexpected_type(state, "Items", "array", items)
    else:
        path = "$" if state.items_path is None else state.items_path.text
        items = value if state.items_path is None else state.items_path.evaluate(env)
        if not isinstance(items, list):
            shown = path.removeprefix("$") if path.startswith("$$") else path
            raise StateFailed(RUNTIME, f'Reference path "{shown}" must point to array.')
        trial.note("afterItemsPath", items)
    selected = list(items)
    if state.item_selector is not None:
        selected = [_selected(trial, state.item_selector, value, *item) for item in enumerate(items)]
        trial.note("afterItemSelector", selected)
    if state.item_batcher is not None:
        trial.note("afterItemBatcher", _batches(trial, state.item_batcher, value, selected))
    return list(items)


def _batches(trial: Trial, batcher: ItemBatcher, value: Json, items: list[Json]) -> list[Json]:
    settings = BatchSettings(
        _whole(_number(trial, batcher.max_items, batcher.max_items_expression, value)),
        _whole(_number(trial, batcher.max_bytes, batcher.max_bytes_expression, value)),
        batcher.batch_input.evaluate(trial.env(value)) if batcher.batch_input else None,
    )
    return [child.input for child in batched([Child(item, 1, None) for item in items], settings)]


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


def _selected(trial: Trial, selector: Expression, value: Json, index: int, item: Json) -> Json:
    context = {**trial.request.context, "Map": {"Item": {"Index": index, "Value": item}}}
    env = trial.env(value)
    states = {**env.states, "context": context} if env.states else None
    return selector.evaluate(Env(value, context, env.variables, states))


def _number(trial: Trial, literal: float | None, expression: Expression | None, value: Json) -> float | None:
    if expression is None:
        return literal
    found = expression.evaluate(trial.env(value))
    try:
        return float(found)
    except (TypeError, ValueError):
        raise StateFailed(RUNTIME, f"Expected a number, found {text_of(found)}.") from None


# --- after the work ----------------------------------------------------------------------------


def _after_work(trial: Trial, value: Json, result: Json) -> Json:
    state = trial.state
    if state.jsonata:
        env = trial.env(value) if isinstance(state, PassState) else trial.env(value, result=result)
        output = result if state.output is None else state.output.evaluate(env)
        trial.assign(state.assign, env)
        return output
    if state.result_selector is not None:
        result = state.result_selector.evaluate(trial.env(result))
    trial.note("afterResultSelector", result)
    trial.assign(state.assign, trial.env(result))
    merged = _merged(trial, result)
    trial.note("afterResultPath", merged)
    return _output(trial, merged, None)


def _merged(trial: Trial, result: Json) -> Json:
    state, given = trial.state, trial.request.input
    if state.discard_result:
        return given
    return result if state.result_path is None else state.result_path.write(given, result)


def _output(trial: Trial, value: Json, template: Expression | None) -> Json:
    state = trial.state
    if state.jsonata:
        return value if template is None else template.evaluate(trial.env(value))
    if state.discard_output:
        return {}
    return value if state.output_path is None else state.output_path.evaluate(trial.env(value))


def _choose(trial: Trial, state: ChoiceState, value: Json) -> tuple[str, Json]:
    env = trial.env(value)
    for rule in state.choices:
        if rule.condition.holds(env):
            output = _output(trial, value, rule.output or state.output)
            trial.assign(rule.assign, env)
            return rule.next, output
    if state.default is None:
        raise StateFailed(NO_CHOICE_MATCHED)
    output = _output(trial, value, state.output)
    trial.assign(state.assign, env)
    return state.default, output


def _check_wait(trial: Trial, state: WaitState, value: Json) -> None:
    for expression in (state.seconds_expression, state.timestamp_expression):
        if expression is not None:
            expression.evaluate(trial.env(value))


def _failure_of(trial: Trial, state: FailState, value: Json) -> StateFailed:
    env = trial.env(value)
    error = state.error_expression.evaluate(env) if state.error_expression else state.error
    cause = state.cause_expression.evaluate(env) if state.cause_expression else state.cause
    return StateFailed(error or "", cause)


# --- failures ----------------------------------------------------------------------------------


def _fail(trial: Trial, failure: StateFailed) -> dict[str, Json]:
    answer: dict[str, Json] = {"status": "FAILED"}
    if failure.error:
        answer["error"] = failure.error
    if failure.cause:
        answer["cause"] = failure.cause
    state = trial.state
    for index, retrier in enumerate(state.retry):
        if matches(retrier.error_equals, failure.error):
            if trial.request.retry_count >= retrier.max_attempts:
                break
            backoff = int(delay_before(retrier, trial.request.retry_count + 1))
            trial.numbers["errorDetails"] = {"retryIndex": index, "retryBackoffIntervalSeconds": backoff}
            return answer | {"status": "RETRIABLE"}
    for index, catcher in enumerate(state.catch):
        if matches(catcher.error_equals, failure.error):
            trial.numbers["errorDetails"] = {"catchIndex": index}
            output = _caught(trial, index, failure)
            return answer | {"status": "CAUGHT_ERROR", "nextState": catcher.next, "output": text_of(output)}
    return answer


def _caught(trial: Trial, index: int, failure: StateFailed) -> Json:
    state = trial.state
    catcher = state.catch[index]
    told = {"Error": failure.error, "Cause": failure.cause or ""}
    given = trial.request.input
    env = trial.env(given, errorOutput=told) if state.jsonata else trial.env(told)
    trial.assign(catcher.assign, env)
    if state.jsonata:
        return told if catcher.output is None else catcher.output.evaluate(env)
    if catcher.discard:
        return given
    return told if catcher.result_path is None else catcher.result_path.write(given, told)
