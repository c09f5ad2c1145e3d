"""The rendered state machines follow the rules of AWS and of this project."""

import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest

from deploy.template.cloudformation import read_template
from tests.workflows.step_contracts import step_contracts
from workflows import errors
from workflows.contracts import guard_report
from workflows.project import PROJECT, folder_name, function_arn, resource_name

ROOT = Path(__file__).parents[2]
STATE_MACHINES = ROOT / "state_machines"
DEFINITIONS: dict[str, dict[str, Any]] = {
    path.name.removesuffix(".asl.json"): json.loads(path.read_text(encoding="utf-8"))
    for path in STATE_MACHINES.glob("*.asl.json")
}
CONTRACTS: dict[str, Any] = {name: import_module(f"workflows.contracts.{name}") for name in DEFINITIONS}
STEPS = step_contracts()
# https://docs.aws.amazon.com/step-functions/latest/dg/sfn-best-practices.html#bp-lambda-serviceexception
LAMBDA_TRANSIENT = [
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
]
CRASHES = {"Lambda.Unknown", "Runtime.ExitError", "Runtime.OutOfMemory", "Sandbox.Timedout", "States.Timeout"}
NO_ANSWER = ["States.Timeout", "States.HeartbeatTimeout"]
# The longest that "Choose Person" may say: the settings' own limit.
ANSWER_SECONDS_AT_MOST = 86_400
STEP_ERRORS = {
    name: error
    for name, error in inspect.getmembers(errors, inspect.isclass)
    if issubclass(error, errors.StepError) and not error.__subclasses__()
}


@dataclass(frozen=True)
class State:
    """One state where it stands: ``siblings`` are all the states that it may lead to."""

    workflow: str
    name: str
    fields: dict[str, Any]
    siblings: dict[str, Any]

    @property
    def leads_to(self) -> list[str]:
        """Every name that this state may lead to."""
        choices = self.fields.get("Choices", []) + self.fields.get("Catch", [])
        names = [self.fields.get("Next"), self.fields.get("Default"), *(item["Next"] for item in choices)]
        return [name for name in names if name is not None]


def states_of(workflow: str, scope: dict[str, Any]) -> Iterator[State]:
    for name, fields in scope["States"].items():
        yield State(workflow, name, fields, scope["States"])
        if "ItemProcessor" in fields:
            yield from states_of(workflow, fields["ItemProcessor"])


def scopes_of(scope: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield scope
    for fields in scope["States"].values():
        if "ItemProcessor" in fields:
            yield from scopes_of(fields["ItemProcessor"])


STATES = [state for workflow, definition in DEFINITIONS.items() for state in states_of(workflow, definition)]
every_workflow = pytest.mark.parametrize("workflow", sorted(DEFINITIONS))
every_state = pytest.mark.parametrize("state", STATES, ids=lambda state: f"{state.workflow}:{state.name}")
every_task = pytest.mark.parametrize(
    "task",
    [state for state in STATES if state.fields["Type"] == "Task"],
    ids=lambda state: f"{state.workflow}:{state.name}",
)


def is_one_of_many(task: State) -> bool:
    """Return whether a task is in a Map with many items."""
    return task.workflow == "daily_report_digest" and task.name in {"Render Email", "Send Email"}


def waits(task: State) -> bool:
    return str(task.fields.get("Resource", "")).endswith(".waitForTaskToken")


def names(found: tuple[type[errors.StepError], ...]) -> list[str]:
    return [error.__name__ for error in found]


def permanent_errors(workflow: str) -> list[str]:
    contract = CONTRACTS[workflow]
    return [
        name
        for group in ("FATAL_ERRORS", "FILE_ERRORS", "RECIPIENT_ERRORS")
        for name in names(getattr(contract, group, ()))
    ]


def test_there_is_one_machine_for_each_workflow_of_the_catalog() -> None:
    assert set(DEFINITIONS) == set(PROJECT.workflows)


@every_workflow
def test_a_machine_fits_the_schema_of_the_states_language(workflow: str) -> None:
    schema = json.loads(
        (files("cfnlint") / "data/schemas/other/step_functions/statemachine.json").read_text(encoding="utf-8")
    )

    jsonschema.Draft7Validator(schema).validate(DEFINITIONS[workflow])


@every_workflow
def test_a_machine_has_a_timeout_and_a_comment(workflow: str) -> None:
    definition = DEFINITIONS[workflow]

    assert definition["TimeoutSeconds"] > max(
        state.fields.get("TimeoutSeconds", ANSWER_SECONDS_AT_MOST)
        for state in STATES
        if state.workflow == workflow and "Retry" in state.fields
    )
    assert definition["Comment"]
    assert definition["QueryLanguage"] == "JSONPath"


@every_workflow
def test_every_state_is_reached_and_every_way_ends(workflow: str) -> None:
    for scope in scopes_of(DEFINITIONS[workflow]):
        reached, ahead = set(), [scope["StartAt"]]
        while ahead:
            name = ahead.pop()
            if name not in reached:
                reached.add(name)
                ahead += State(workflow, name, scope["States"][name], scope["States"]).leads_to
        assert reached == set(scope["States"])


@every_workflow
def test_a_state_name_is_used_once(workflow: str) -> None:
    found = [state.name for state in STATES if state.workflow == workflow]

    assert len(found) == len(set(found))


@every_state
def test_a_state_leads_to_its_siblings_or_to_the_end(state: State) -> None:
    assert set(state.leads_to) <= set(state.siblings)
    assert ("Next" in state.fields) + ("End" in state.fields) == (state.fields["Type"] != "Choice")


@every_state
def test_no_machine_has_a_fail_state(state: State) -> None:
    assert state.fields["Type"] in {"Task", "Map", "Choice", "Pass"}


@every_task
def test_a_task_has_a_timeout_and_its_retriers_in_order(task: State) -> None:
    *lambda_s, transient, permanent, unforeseen = task.fields["Retry"]

    assert waits(task) or task.fields["TimeoutSeconds"] > 0
    by_itself = [] if is_one_of_many(task) else [["Lambda.TooManyRequestsException"]]
    others = (
        LAMBDA_TRANSIENT if is_one_of_many(task) else [name for name in LAMBDA_TRANSIENT if [name] not in by_itself]
    )
    assert [retrier["ErrorEquals"] for retrier in lambda_s] == [*by_itself, others]
    assert transient["ErrorEquals"] == names(CONTRACTS[task.workflow].TRANSIENT_ERRORS)
    never = NO_ANSWER if waits(task) else []
    assert sorted(permanent["ErrorEquals"]) == sorted([*permanent_errors(task.workflow), *never])
    assert permanent["MaxAttempts"] == 0
    assert unforeseen["ErrorEquals"] == ["States.ALL"]


@every_task
def test_retries_back_off_with_jitter(task: State) -> None:
    again = [retrier for retrier in task.fields["Retry"] if retrier["MaxAttempts"]]

    # Throttling, other errors of Lambda, the contract's transient errors, all others.
    expected = [3, 3, 3] if is_one_of_many(task) else [15, 6, 6, 3]
    assert [retrier["MaxAttempts"] for retrier in again] == expected
    for retrier in again:
        assert retrier["JitterStrategy"] == "FULL"
        assert retrier["BackoffRate"] == 2
        assert 0 < retrier["IntervalSeconds"] < retrier["MaxDelaySeconds"] == 60


@every_state
def test_only_facts_about_one_file_or_one_person_are_caught(state: State) -> None:
    caught = {error for catcher in state.fields.get("Catch", []) for error in catcher["ErrorEquals"]}
    recipient = set(names(guard_report.RECIPIENT_ERRORS))
    expected = {
        "Inspect File": {*names(guard_report.FILE_ERRORS), *CRASHES},
        "Make Thumbnails": {*names(guard_report.FILE_ERRORS), *CRASHES},
        "Render Email": recipient,
        "Send Email": recipient,
        "Await Acknowledgement": {*recipient, *NO_ANSWER},
    }
    of_workflow = {
        "guard_report": expected,
        "incident_escalation": expected,
        # The failure of one client does not stop the mails to others.
        "daily_report_digest": {"Render Email": {"States.ALL"}, "Send Email": {"States.ALL"}},
    }

    assert caught == of_workflow.get(state.workflow, {}).get(state.name, set()), (
        f"{state.workflow} catches errors at {state.name}. Decide if they are facts about one file or person, "
        "and write them into of_workflow above."
    )


@every_task
def test_an_error_name_is_known(task: State) -> None:
    handlers = task.fields["Retry"] + task.fields.get("Catch", [])
    found = {error for handler in handlers for error in handler["ErrorEquals"]}

    assert found - STEP_ERRORS.keys() - CRASHES - set(LAMBDA_TRANSIENT) - set(NO_ANSWER) == {"States.ALL"}


def test_each_error_of_a_step_is_in_a_contract() -> None:
    transient = {name for contract in CONTRACTS.values() for name in names(contract.TRANSIENT_ERRORS)}
    permanent = {name for workflow in CONTRACTS for name in permanent_errors(workflow)}

    assert transient == {name for name, error in STEP_ERRORS.items() if issubclass(error, errors.TransientError)}
    assert permanent == {name for name, error in STEP_ERRORS.items() if issubclass(error, errors.PermanentError)}


@every_task
def test_a_task_matches_its_contract(task: State) -> None:
    given, answered = STEPS[task.name]
    payload = {key.removesuffix(".$") for key in task.fields["Parameters"]["Payload"]}
    required = {name for name, field in given.model_fields.items() if field.is_required()}

    assert required <= payload <= set(given.model_fields)
    if waits(task):  # its result is what comes with the token
        assert "ResultSelector" not in task.fields
        return
    assert task.fields["ResultSelector"] == {f"{name}.$": f"$.Payload.{name}" for name in answered.model_fields}
    assert task.fields["Resource"] == "arn:aws:states:::lambda:invoke"


def test_a_waiting_state_takes_its_timeouts_from_the_turn() -> None:
    [task] = [state for state in STATES if waits(state)]

    assert task.fields["Resource"] == "arn:aws:states:::lambda:invoke.waitForTaskToken"
    assert task.fields["TimeoutSecondsPath"] == "$.turn.timeout_seconds"
    assert task.fields["HeartbeatSecondsPath"] == "$.turn.heartbeat_seconds"
    assert task.fields["Parameters"]["Payload"]["task_token.$"] == "$$.Task.Token"


@every_task
def test_state_folder_and_resource_have_one_name(task: State) -> None:
    substitution = task.fields["Parameters"]["FunctionName"]

    assert substitution == function_arn(task.name) == f"${{{task.name.replace(' ', '')}FunctionArn}}"
    assert resource_name(task.name) == task.name.replace(" ", "") + "Function"
    assert (ROOT / "lambdas" / folder_name(task.name) / "handler.py").is_file()


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    found: dict[str, Any] = read_template()["Resources"]
    return found


@every_task
def test_a_function_runs_out_of_time_before_its_state_does(task: State, resources: dict[str, Any]) -> None:
    if waits(task):
        pytest.skip("It waits for a person, for as long as the person has.")
    function_seconds = resources[resource_name(task.name)]["Properties"]["Timeout"]

    # Otherwise a retry would run while the function still works.
    assert function_seconds + 15 <= task.fields["TimeoutSeconds"]


@every_workflow
def test_the_template_fills_in_each_substitution_and_no_other(workflow: str, resources: dict[str, Any]) -> None:
    used = set(re.findall(r"\$\{(\w+)\}", json.dumps(DEFINITIONS[workflow])))
    machine = next(
        resource["Properties"]
        for resource in resources.values()
        if str(resource["Properties"].get("DefinitionUri", "")).endswith(f"/{workflow}.asl.json")
    )

    assert set(machine["DefinitionSubstitutions"]) == used
