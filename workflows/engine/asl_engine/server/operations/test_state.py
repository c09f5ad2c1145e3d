"""TestState: one state in an execution that is not stored.

A Task without a mock calls its service; Map and Parallel states need a mock; a Wait state does not wait.
https://docs.aws.amazon.com/step-functions/latest/apireference/API_TestState.html
"""

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from asl_engine.adapters.performer import TaskCall
from asl_engine.adapters.service_json import problems_with
from asl_engine.core.advance import EXECUTE
from asl_engine.core.branching_states import (
    batch_settings,
    concurrency_of,
    items_of,
    tolerated_count,
    tolerated_percentage,
)
from asl_engine.core.commands import InvokeTask
from asl_engine.core.data import effective_input, outcome_of, outcome_of_catching
from asl_engine.core.execution import ROOT_ID, Branch, Execution, Phase, Status
from asl_engine.core.items import pairs_of
from asl_engine.core.map_run import TOLERANCE_EXCEEDED, Child, MapRun, batched
from asl_engine.core.retry import delay_before, matches, take_retry
from asl_engine.core.simple_states import NO_RULE_HOLDS, leave_wait
from asl_engine.core.task_state import execute_task
from asl_engine.core.transitions import item_input, leave
from asl_engine.core.work import Work
from asl_engine.definition.checks import check, check_state
from asl_engine.definition.compiler import compile_state, speaks_jsonata
from asl_engine.definition.program import (
    RETRIED_TYPES,
    FailState,
    MapState,
    ParallelState,
    PassState,
    Program,
    State,
    StateType,
    TaskState,
    WaitState,
)
from asl_engine.definition.resources import ResourceKind, parse_resource
from asl_engine.errors import EXCEED_TOLERATED_FAILURE_THRESHOLD, NO_CHOICE_MATCHED, ApiError, StateFailed
from asl_engine.json_problems import problem_of
from asl_engine.jsontext import Json, loads
from asl_engine.language.times import print_timestamp
from asl_engine.server.protocol import ApiCall
from asl_engine.server.validation import invalid_input, refuse_definition, validation_error

MOCKED_TYPES = (StateType.TASK, StateType.MAP, StateType.PARALLEL)
STATE_NAME = "StateName"  # AWS's name of any state under test in its context

# The fields of a context object and their types.
# https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html
_CONTEXT: Mapping[str, Any] = {
    "Execution": {
        "Id": str,
        "Input": object,
        "Name": str,
        "RoleArn": str,
        "StartTime": str,
        "RedriveCount": int,
        "RedriveTime": str,
    },
    "State": {"EnteredTime": str, "Name": str, "RetryCount": int},
    "StateMachine": {"Id": str, "Name": str},
    "Task": {"Token": str},
    "Map": {"Item": {"Index": int, "Value": object, "Key": str, "Source": str}},
}
_KIND_NAMES = {str: "a string", int: "a number"}


@dataclass(frozen=True, slots=True)
class Mock:
    """A mock of the state's work: a result or an error."""

    result: Json = None
    error: str | None = None
    cause: str | None = None
    failed: bool = False
    validation_mode: str = "STRICT"


def test_state(call: ApiCall) -> Json:
    """TestState. Nothing is started or stored."""
    asked = call.arguments
    definition, name = asked["definition"], asked.get("stateName")
    refuse_definition(check_state(definition) if name is None else check(definition))
    node, jsonata = _locate(loads(definition), name)
    kind = node["Type"]
    _check_mock_options(asked)
    mock = _read_mock(asked.get("mock"), kind)
    if kind == "Task" and mock is None and not asked.get("roleArn"):
        raise validation_error("RoleArn must be specified when testing a Task state")
    state = compile_state(name or STATE_NAME, node, jsonata=jsonata)
    if mock is not None:
        _check_mocked_result(state, mock)
    trial = _new_trial(call, state, mock)
    answer = trial.answer()
    if asked.get("inspectionLevel", "INFO") != "INFO":
        answer["inspectionData"] = trial.inspection_data()
    return answer


def _new_trial(call: ApiCall, state: State, mock: Mock | None) -> "_Trial":
    asked = call.arguments
    value = _parsed(asked.get("input", "{}"), "input")
    retries = (asked.get("stateConfiguration") or {}).get("retrierRetryCount", 0)
    machine_arn = call.account.arn("stateMachine", STATE_NAME)
    execution = Execution(
        call.account.arn("execution", STATE_NAME, STATE_NAME), STATE_NAME, machine_arn, value, call.now_ms()
    )
    work = Work(Program(start_at=state.name, states={state.name: state}), execution, call.now_ms(), call.draw)
    work.inspection = {}
    work.given_context = _context(call, value, state, retries)
    branch = Branch(ROOT_ID, None, (), 0, state.name, Phase.ENTERED, input=value)
    branch.variables = _parsed(asked["variables"], "variables") if "variables" in asked else {}
    branch.retries = dict.fromkeys(range(len(state.retry)), retries)
    return _Trial(call, state, mock, work, branch)


def _context(call: ApiCall, value: Json, tested: State, retries: int) -> dict[str, Json]:
    """Return the request's context object, or that of a made-up execution."""
    asked = call.arguments
    if "context" in asked:
        context: dict[str, Json] = _parsed(asked["context"], "context")
        _check_context(context, _CONTEXT)
        _check_context_fits(context, tested)
        return context
    machine, name, now = str(uuid.uuid4()), str(uuid.uuid4()), print_timestamp(call.now_ms())
    state: dict[str, Json] = {"Name": STATE_NAME, "EnteredTime": now}
    if tested.type in RETRIED_TYPES:
        state["RetryCount"] = retries
    return {
        "Execution": {
            "Id": call.account.arn("express", machine, name),
            "Input": value,
            "Name": name,
            "RoleArn": asked.get("roleArn"),
            "StartTime": now,
        },
        "StateMachine": {"Id": call.account.arn("stateMachine", machine), "Name": machine},
        "State": state,
    }


def _text(value: Json) -> str:
    """Return a value as TestState prints it, with a space after each comma and colon."""
    return json.dumps(value, ensure_ascii=False)


@dataclass(slots=True)
class _Trial:
    """The state under test. ``numbers`` of the inspection are not printed as text."""

    call: ApiCall
    state: State
    mock: Mock | None
    work: Work
    branch: Branch
    numbers: dict[str, Json] = field(default_factory=dict)

    def answer(self) -> dict[str, Json]:
        """Run the state and return TestState's answer."""
        self.work.inspect("input", self.branch.input)
        try:
            self._execute()
        except StateFailed as failure:
            if failure.cause == NO_RULE_HOLDS:
                failure = StateFailed(NO_CHOICE_MATCHED)
            return self._failed(failure)
        answer = {"status": "SUCCEEDED", "output": _text(self.branch.input)}
        return answer | {"nextState": self.branch.state} if self.branch.phase is Phase.READY else answer

    def inspection_data(self) -> dict[str, Json]:
        """Return the value of each step that TestState shows for this type of state."""
        shown = dict(self.work.inspection or {})
        if isinstance(self.state, ParallelState) or (isinstance(self.state, PassState) and self.state.has_result):
            for step in ("afterInputPath", "afterParameters", "afterArguments"):
                shown.pop(step, None)
        if self.branch.variables:
            shown["variables"] = self.branch.variables
        return {step: _text(value) for step, value in shown.items()} | self.numbers

    def _execute(self) -> None:
        state, work, branch = self.state, self.work, self.branch
        if isinstance(state, TaskState):
            result = self._task_result(state)
        elif isinstance(state, MapState):
            result = self._map_result(state)
        elif isinstance(state, ParallelState):
            effective_input(work, branch, state)
            result = self._mocked_result()
        else:
            self._execute_at_once()
            return
        leave(work, branch, state, outcome_of(work, branch, state, result), state.next)

    def _execute_at_once(self) -> None:
        state = self.state
        if isinstance(state, PassState) and state.has_result:
            self.work.inspect("result", state.result)
        if isinstance(state, FailState) and not state.jsonata:
            self.work.inspect("afterInputPath", self.branch.input)
        EXECUTE[state.type](self.work, self.branch, state)
        if isinstance(state, WaitState) and self.branch.phase is Phase.WAIT:
            leave_wait(self.work, self.branch, state)

    def _mocked_result(self) -> Json:
        mock = self.mock
        assert mock is not None  # noqa: S101  _read_mock refused a Map or Parallel without one
        if mock.failed:
            raise StateFailed(mock.error or "", mock.cause)
        return mock.result

    def _task_result(self, state: TaskState) -> Json:
        execute_task(self.work, self.branch, state)
        [command] = [one for one in self.work.commands if isinstance(one, InvokeTask)]
        if self.mock is not None:
            result = self._mocked_result()
        else:
            region, credentials = self.call.account.region, command.credentials
            result = self.call.engine.performer.perform(
                TaskCall(
                    command.resource, command.parameters, region=region, credentials=credentials, timeout_seconds=300
                )
            )
        self.work.inspect("result", result)
        return result

    def _map_result(self, state: MapState) -> Json:
        work, branch = self.work, self.branch
        configuration = self.call.arguments.get("stateConfiguration") or {}
        if state.item_reader is None:
            items = items_of(work, branch, state)
        else:
            items = _parsed(configuration.get("mapItemReaderData", "null"), "mapItemReaderData") or []
        pairs = enumerate(pairs_of(items))
        selected = [item_input(work, branch, state, index, item, key) for index, (key, item) in pairs]
        if state.item_selector is not None:
            work.inspect("afterItemSelector", selected)
        batcher = batch_settings(work, branch, state)
        if batcher is not None:
            children = batched([Child(item, 1, None) for item in selected], batcher)
            work.inspect("afterItemBatcher", [child.input for child in children])
        failures = configuration.get("mapIterationFailureCount") or 0
        if failures > len(items):
            raise validation_error(
                "Map iteration failure count must be less than or equal to the number of Map iterations"
            )
        self._check_tolerance(state, len(items), failures)
        return self._mocked_result()

    def _check_tolerance(self, state: MapState, items: int, failures: int) -> None:
        """Raise StateFailed if the number of failed iterations exceeds the tolerance."""
        count = tolerated_count(self.work, self.branch, state)
        percentage = tolerated_percentage(self.work, self.branch, state)
        self.numbers["maxConcurrency"] = concurrency_of(self.work, self.branch, state)
        if count is not None:
            self.numbers["toleratedFailureCount"] = count
        if percentage is not None:
            self.numbers["toleratedFailurePercentage"] = float(percentage)
        statuses: list[str] = [*[Status.FAILED] * failures, *[Status.PENDING] * max(0, items - failures)]
        has_limit = count is not None or percentage is not None
        if has_limit and MapRun(0, count, percentage, [1] * len(statuses), statuses).is_failing:
            raise StateFailed(EXCEED_TOLERATED_FAILURE_THRESHOLD, TOLERANCE_EXCEEDED)

    def _failed(self, failure: StateFailed) -> dict[str, Json]:
        """Return the answer of a failed state: retriable, caught, or neither."""
        state, branch = self.state, self.branch
        given = {"error": failure.error, "cause": failure.cause}
        answer: dict[str, Json] = {"status": "FAILED"} | {name: text for name, text in given.items() if text}
        retry = take_retry(state, branch, failure.error)
        if retry is not None:
            retrier, number = retry
            backoff = int(delay_before(retrier, number))
            index = state.retry.index(retrier)
            self.numbers["errorDetails"] = {"retryIndex": index, "retryBackoffIntervalSeconds": backoff}
            return answer | {"status": "RETRIABLE"}
        for index, catcher in enumerate(state.catch):
            if matches(catcher.error_equals, failure.error):
                self.numbers["errorDetails"] = {"catchIndex": index}
                error_output = {"Error": failure.error, "Cause": failure.cause or ""}
                output, assigned = outcome_of_catching(self.work, branch, state, catcher, error_output)
                branch.variables = {**branch.variables, **(assigned or {})}
                return answer | {"status": "CAUGHT_ERROR", "nextState": catcher.next, "output": _text(output)}
        for index, retrier in enumerate(state.retry):
            if matches(retrier.error_equals, failure.error):
                self.numbers["errorDetails"] = {"retryIndex": index}  # its attempts are used up
                break
        return answer


# --- reading the request ---


def _parsed(text: str, field_name: str) -> Json:
    """Parse a field of JSON. Raises ValidationException, or InvalidExecutionInput for the input."""
    try:
        return loads(text)
    except ValueError:
        if field_name == "input":
            raise invalid_input(text) from None
        raise validation_error(f"Invalid JSON in {field_name}: {problem_of(text).message}") from None


def _check_mock_options(asked: Mapping[str, Json]) -> None:
    """Raise ValidationException for options that only exist with a mock, or only without."""
    if asked.get("mock") is not None and asked.get("revealSecrets"):
        raise validation_error("TestState does not support RevealSecrets when a mock is specified.")
    configuration = asked.get("stateConfiguration") or {}
    if asked.get("mock") is None and configuration.get("mapIterationFailureCount") is not None:
        raise validation_error("TestState does not support MapIterationFailureCount when a mock is not specified.")


def _locate(definition: Json, name: str | None) -> tuple[dict[str, Json], bool]:
    """Return the state under test, and whether JSONata encloses it."""
    if name is None:
        if "States" in definition and "Type" not in definition:
            raise validation_error("stateName must be specified when the definition is a state machine")
        return definition, False
    for found in _states_within(definition, name, jsonata=False):
        return found
    raise validation_error("State not found in definition")


def _states_within(machine: Json, name: str, *, jsonata: bool) -> Iterator[tuple[dict[str, Json], bool]]:
    if not isinstance(machine, dict) or not isinstance(machine.get("States"), dict):
        return
    jsonata = speaks_jsonata(machine, jsonata)
    for own_name, node in machine["States"].items():
        if own_name == name:
            yield node, jsonata
        inner = speaks_jsonata(node, jsonata) if isinstance(node, dict) else jsonata
        for part in _machines_of(node):
            yield from _states_within(part, name, jsonata=inner)


def _machines_of(node: Json) -> list[Json]:
    if not isinstance(node, dict):
        return []
    processor = node.get("ItemProcessor", node.get("Iterator"))
    return [*(node.get("Branches") or ()), *([processor] if processor else ())]


def _read_mock(given: Json, kind: str) -> Mock | None:
    if given is None or ("result" not in given and "errorOutput" not in given):
        if kind in (StateType.MAP, StateType.PARALLEL):
            supported = "Supported state types include: [Task, Wait, Pass, Succeed, Fail, Choice]"
            raise ApiError("InvalidDefinition", f"TestState API does not support Map or Parallel states. {supported}")
        return None
    if "result" in given and "errorOutput" in given:
        raise validation_error("A test mock should have only one of the following fields: [result, errorOutput].")
    if kind not in MOCKED_TYPES:
        raise validation_error(f"State type '{kind}' is not supported when a mock is specified")
    mode = given.get("fieldValidationMode", "STRICT")
    if "errorOutput" in given:
        error = given["errorOutput"]
        return Mock(error=error.get("error"), cause=error.get("cause"), failed=True, validation_mode=mode)
    try:
        return Mock(result=loads(given["result"]), validation_mode=mode)
    except ValueError:
        raise validation_error("Mocked result must be valid JSON") from None


def _check_mocked_result(state: State, mock: Mock) -> None:
    """Raise ValidationException for a result that the state or the Task's service cannot give."""
    if mock.failed:
        return
    if isinstance(state, MapState) and state.result_writer is not None:
        if not isinstance(mock.result, dict):
            raise validation_error("Mocked result must be a JSON object.")
    elif isinstance(state, MapState | ParallelState) and not isinstance(mock.result, list):
        raise validation_error("Mocked result must be an array.")
    elif isinstance(state, ParallelState) and len(mock.result) != len(state.branches):
        raise validation_error("Mocked result must contain the same number of items as number of Parallel branches.")
    elif isinstance(state, TaskState) and (resource := parse_resource(state.resource)).is_integration:
        service = f"aws-sdk:{resource.service}" if resource.kind is ResourceKind.SDK else resource.service
        for problem in problems_with(service, resource.action, mock.result, mock.validation_mode):
            raise validation_error(f"Mock result schema validation error: {problem}")


def _check_context(value: Json, fields: Mapping[str, Any], at: str = "") -> None:
    if not isinstance(value, dict):
        raise _invalid_context(f"{at or 'Context object'} must be an object")
    for name, inner in value.items():
        kind, where = fields.get(name), f"{at}.{name}" if at else name
        if kind is None:
            raise _invalid_context(f"Field '{name}' is not allowed")
        if isinstance(kind, dict):
            _check_context(inner, kind, where)
        elif not isinstance(inner, kind):
            raise _invalid_context(f"{where} must be {_KIND_NAMES[kind]}")


def _check_context_fits(context: dict[str, Json], state: State) -> None:
    """Raise ValidationException for a part of the context that the state under test cannot have."""
    if "Map" in context:
        raise _invalid_context("'Map' field is not supported when mocking a Context object")
    submits = isinstance(state, TaskState) and parse_resource(state.resource).submits
    if "Task" in context and not submits:
        raise _invalid_context(
            "Context object contains 'Task' when state is not a Task state with a '.sync' or '.waitForTaskToken' "
            "service integration pattern"
        )


def _invalid_context(problem: str) -> ApiError:
    return validation_error(f"Invalid Context object provided: {problem}")
