"""TestState: one state, tried alone in an execution that is kept nowhere.

A Task without a mock calls its service; Map and Parallel states are always mocked; a Wait state does not wait.
"""

import json
import uuid
from dataclasses import dataclass, field

from asl_engine.adapters.performer import TaskCall
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
from asl_engine.core.map_run import Child, MapRun, batched
from asl_engine.core.retry import delay_before, matches, take_retry
from asl_engine.core.simple_states import NO_RULE_HOLDS, leave_wait
from asl_engine.core.task_state import execute_task
from asl_engine.core.transitions import item_input, leave
from asl_engine.core.work import Work
from asl_engine.definition.checks import check, check_state
from asl_engine.definition.compiler import compile_state
from asl_engine.definition.program import (
    FailState,
    MapState,
    ParallelState,
    PassState,
    Program,
    State,
    TaskState,
    WaitState,
)
from asl_engine.errors import EXCEED_TOLERATED_FAILURE_THRESHOLD, NO_CHOICE_MATCHED, StateFailed
from asl_engine.jsontext import Json, loads
from asl_engine.language.times import print_timestamp
from asl_engine.server.api_errors import refuse_definition, validation_error
from asl_engine.server.operation import ApiCall
from asl_engine.server.test_state_request import (
    MOCKED_TYPES,
    STATE_NAME,
    Located,
    Mock,
    check_context,
    check_mocked_result,
    locate,
    parsed,
    read_mock,
)


def test_state(call: ApiCall) -> Json:
    """TestState. Nothing is started or kept."""
    asked = call.arguments
    located = _checked(asked["definition"], asked.get("stateName"))
    kind = located.node["Type"]
    mock = read_mock(asked.get("mock"), kind)
    if kind == "Task" and mock is None and not asked.get("roleArn"):
        raise validation_error("RoleArn must be specified when testing a Task state")
    state = compile_state(asked.get("stateName", STATE_NAME), located.node, jsonata=located.jsonata)
    if mock is not None:
        check_mocked_result(state, mock)
    trial = _new_trial(call, state, mock)
    answer = trial.answer()
    if asked.get("inspectionLevel", "INFO") != "INFO":
        answer["inspectionData"] = trial.inspection_data()
    return answer


def _checked(definition: str, state_name: str | None) -> Located:
    """Find the state under test. Raises InvalidDefinition if its definition has an error."""
    refuse_definition(check_state(definition) if state_name is None else check(definition), definition)
    return locate(loads(definition), state_name)


def _new_trial(call: ApiCall, state: State, mock: Mock | None) -> "_Trial":
    asked = call.arguments
    value = parsed(asked.get("input", "{}"), "input")
    retries = (asked.get("stateConfiguration") or {}).get("retrierRetryCount", 0)
    machine_arn = call.account.arn("stateMachine", STATE_NAME)
    execution = Execution(
        call.account.arn("execution", STATE_NAME, STATE_NAME), STATE_NAME, machine_arn, value, call.now_ms()
    )
    work = Work(Program(start_at=state.name, states={state.name: state}), execution, call.now_ms(), call.draw)
    work.inspection = {}
    work.given_context = _context(call, value, state.type, retries)
    branch = Branch(ROOT_ID, None, (), 0, state.name, Phase.ENTERED, input=value)
    branch.variables = parsed(asked["variables"], "variables") if "variables" in asked else {}
    branch.retries = dict.fromkeys(range(len(state.retry)), retries)
    return _Trial(call, state, mock, work, branch)


def _context(call: ApiCall, value: Json, kind: str, retries: int) -> dict[str, Json]:
    """Return the context object: the given one, or that of an execution which is not there."""
    asked = call.arguments
    if "context" in asked:
        context: dict[str, Json] = parsed(asked["context"], "context")
        check_context(context)
        return context
    machine, name, now = str(uuid.uuid4()), str(uuid.uuid4()), print_timestamp(call.now_ms())
    state: dict[str, Json] = {"Name": STATE_NAME, "EnteredTime": now}
    if kind in MOCKED_TYPES:
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
    """Return a value as TestState prints it: AWS's recordings have a space after each comma and colon."""
    return json.dumps(value, ensure_ascii=False)


@dataclass(slots=True)
class _Trial:
    """The state under test in its execution. ``numbers`` are shown as they are, all else as texts."""

    call: ApiCall
    state: State
    mock: Mock | None
    work: Work
    branch: Branch
    numbers: dict[str, Json] = field(default_factory=dict)

    def answer(self) -> dict[str, Json]:
        """Try the state and return what TestState answers."""
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
        """Return what each step gave, but for the steps that TestState does not show of some types of state."""
        shown = dict(self.work.inspection or {})
        if isinstance(self.state, ParallelState) or (isinstance(self.state, PassState) and self.state.has_result):
            for step in ("afterInputPath", "afterParameters", "afterArguments"):
                shown.pop(step, None)
        if "variables" in self.call.arguments or self.branch.variables:
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
        assert mock is not None  # noqa: S101  for the type checker: read_mock has refused a Map or Parallel without one
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
            items = parsed(configuration.get("mapItemReaderData", "null"), "mapItemReaderData") or []
        selected = [item_input(work, branch, state, index, item) for index, item in enumerate(items)]
        if state.item_selector is not None:
            work.inspect("afterItemSelector", selected)
        batcher = batch_settings(work, branch, state)
        if batcher is not None:
            children = batched([Child(item, 1, None) for item in selected], batcher)
            work.inspect("afterItemBatcher", [child.input for child in children])
        self._check_tolerance(state, len(items), configuration.get("mapIterationFailureCount") or 0)
        return self._mocked_result()

    def _check_tolerance(self, state: MapState, items: int, failures: int) -> None:
        """Raise StateFailed where so many failed iterations are more than the state tolerates."""
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
            cause = "The specified tolerated failure threshold was exceeded"
            raise StateFailed(EXCEED_TOLERATED_FAILURE_THRESHOLD, cause)

    def _failed(self, failure: StateFailed) -> dict[str, Json]:
        """Return the answer for a state that has failed: retried, caught, or neither."""
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
        return answer
