"""Executions, their histories, tasks and activities, through boto3."""

import json
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest

from asl_engine.server.operations.executions import details_key
from tests.workflows.engine.server.served import PASS, WAIT, Server, machine_of, refusal

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

type Create = Callable[..., dict[str, Any]]
type Closed = Callable[[str], dict[str, Any]]

FAIL = machine_of(Broken={"Type": "Fail", "Error": "Broken", "Cause": "It is."})
TASK = machine_of(Work={"Type": "Task", "Resource": "arn:aws:lambda:eu-west-1:123456789012:function:work"})
TOKEN = machine_of(
    Ask={
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": {"FunctionName": "ask", "Payload": {"token.$": "$$.Task.Token"}},
    }
)


def test_an_execution_is_described_as_it_ended(sfn: "SFNClient", create: Create, closed: Closed) -> None:
    machine = create()["stateMachineArn"]
    started = sfn.start_execution(stateMachineArn=machine, name="first", input='{"a": 1}', traceHeader="Root=1")

    found = closed(started["executionArn"])

    assert started["executionArn"] == f"{machine.replace('stateMachine', 'execution')}:first"
    assert (found["status"], found["name"], found["stateMachineArn"]) == ("SUCCEEDED", "first", machine)
    assert (found["input"], json.loads(found["output"]), found["traceHeader"]) == ('{"a": 1}', {"a": 1}, "Root=1")
    assert found["inputDetails"] == found["outputDetails"] == {"included": True}
    assert found["startDate"] == started["startDate"] <= found["stopDate"]
    assert (found["redriveCount"], found["redriveStatus"]) == (0, "NOT_REDRIVABLE")
    assert found["redriveStatusReason"] == "Execution is SUCCEEDED and cannot be redriven"


def test_metadata_alone_leaves_input_and_output_out(sfn: "SFNClient", create: Create, closed: Closed) -> None:
    arn = sfn.start_execution(stateMachineArn=create()["stateMachineArn"])["executionArn"]
    closed(arn)

    found = sfn.describe_execution(executionArn=arn, includedData="METADATA_ONLY")

    assert not {"input", "output", "inputDetails", "outputDetails"} & set(found)


def test_a_repeated_start_gets_the_same_answer(sfn: "SFNClient", create: Create, closed: Closed) -> None:
    machine = create(WAIT)["stateMachineArn"]
    one = sfn.start_execution(stateMachineArn=machine, name="once", input="{}")

    again = sfn.start_execution(stateMachineArn=machine, name="once", input="{}")

    arn = one["executionArn"]
    taken = ("ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'")
    assert (again["executionArn"], again["startDate"]) == (arn, one["startDate"])
    assert refusal(sfn.start_execution, stateMachineArn=machine, name="once", input='{"b": 2}') == taken
    sfn.stop_execution(executionArn=arn)
    closed(arn)
    assert refusal(sfn.start_execution, stateMachineArn=machine, name="once", input="{}") == taken


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"input": "not json"}, "InvalidExecutionInput"),
        ({"input": ""}, "InvalidExecutionInput"),
        ({"input": "x" * 262_145}, "ValidationException"),
        ({"name": "a/b"}, "InvalidName"),
        ({"name": "n" * 81}, "ValidationException"),
        ({"traceHeader": "é"}, "ValidationException"),
        ({"stateMachineArn": "arn:aws:states:eu-west-1:123456789012:stateMachine:none"}, "StateMachineDoesNotExist"),
        ({"stateMachineArn": "arn:aws:states:eu-west-1:123456789012:activity:none"}, "InvalidArn"),
    ],
)
def test_an_invalid_start_is_refused(sfn: "SFNClient", create: Create, asked: dict[str, Any], code: str) -> None:
    machine = create()["stateMachineArn"]

    assert refusal(sfn.start_execution, **{"stateMachineArn": machine, **asked})[0] == code


def test_a_version_keeps_its_definition(sfn: "SFNClient", create: Create, closed: Closed) -> None:
    made = create(publish=True)
    sfn.update_state_machine(stateMachineArn=made["stateMachineArn"], definition=FAIL)

    arn = sfn.start_execution(stateMachineArn=made["stateMachineVersionArn"])["executionArn"]

    found = closed(arn)
    assert (found["status"], found["stateMachineVersionArn"]) == ("SUCCEEDED", made["stateMachineVersionArn"])
    assert sfn.describe_state_machine_for_execution(executionArn=arn)["definition"] == PASS


def test_an_execution_keeps_the_revision_it_began_with(sfn: "SFNClient", create: Create, server: Server) -> None:
    machine = create(WAIT)["stateMachineArn"]
    arn = sfn.start_execution(stateMachineArn=machine)["executionArn"]
    began_ms = server.runner.clock.now_ms()
    while server.runner.clock.now_ms() == began_ms:
        pass
    sfn.update_state_machine(stateMachineArn=machine, definition=PASS)

    found = sfn.describe_state_machine_for_execution(executionArn=arn)

    assert (found["definition"], found["name"]) == (WAIT, machine.rsplit(":", 1)[-1])
    sfn.stop_execution(executionArn=arn)


@pytest.mark.parametrize(("weights", "version"), [((51, 49), 1), ((49, 51), 2), ((0, 100), 2), ((100, 0), 1)])
def test_an_alias_leads_to_its_versions_by_their_weights(
    sfn: "SFNClient", create: Create, closed: Closed, weights: tuple[int, int], version: int
) -> None:
    # The server's random number is always 0.5.
    made = create(publish=True)
    machine = made["stateMachineArn"]
    sfn.update_state_machine(stateMachineArn=machine, definition=FAIL, publish=True)
    routes: Any = [{"stateMachineVersionArn": f"{machine}:{n}", "weight": weights[n - 1]} for n in (1, 2)]
    alias = sfn.create_state_machine_alias(name="live", routingConfiguration=routes)["stateMachineAliasArn"]

    found = closed(sfn.start_execution(stateMachineArn=alias)["executionArn"])

    assert found["stateMachineVersionArn"] == f"{machine}:{version}"
    assert found["stateMachineAliasArn"] == alias
    assert found["status"] == ("SUCCEEDED" if version == 1 else "FAILED")
    for owner, count in ((machine, 1), (alias, 1), (f"{machine}:{version}", 1), (f"{machine}:{3 - version}", 0)):
        assert len(sfn.list_executions(stateMachineArn=owner)["executions"]) == count


def test_executions_are_listed_by_status_the_latest_first(sfn: "SFNClient", create: Create, closed: Closed) -> None:
    machine = create(WAIT)["stateMachineArn"]
    arns = [sfn.start_execution(stateMachineArn=machine)["executionArn"] for _ in range(3)]
    sfn.stop_execution(executionArn=arns[1], error="Enough", cause="Because.")

    def listed(**asked: Any) -> list[str]:
        return [one["executionArn"] for one in sfn.list_executions(stateMachineArn=machine, **asked)["executions"]]

    assert set(listed()) == set(arns)
    assert listed(statusFilter="ABORTED") == [arns[1]]
    assert set(listed(statusFilter="RUNNING")) == {arns[0], arns[2]}
    found = closed(arns[1])
    assert (found["error"], found["cause"], found["redriveStatus"]) == ("Enough", "Because.", "REDRIVABLE")
    for arn in arns:
        sfn.stop_execution(executionArn=arn)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({}, "ValidationException"),
        ({"redriveFilter": "REDRIVEN", "owner": True}, "ValidationException"),
        ({"statusFilter": "PENDING_REDRIVE", "owner": True}, "ValidationException"),
        ({"mapRunArn": "arn:aws:states:eu-west-1:123456789012:mapRun:none/map:1"}, "ResourceNotFound"),
        ({"stateMachineArn": "arn:aws:states:eu-west-1:123456789012:stateMachine:none"}, "StateMachineDoesNotExist"),
    ],
)
def test_a_list_of_an_unknown_owner_is_refused(
    sfn: "SFNClient", create: Create, asked: dict[str, Any], code: str
) -> None:
    if asked.pop("owner", False):
        asked["stateMachineArn"] = create()["stateMachineArn"]

    assert refusal(sfn.list_executions, **asked)[0] == code


def test_an_express_machine_lists_no_executions(sfn: "SFNClient", create: Create) -> None:
    machine = create(type="EXPRESS")["stateMachineArn"]

    assert refusal(sfn.list_executions, stateMachineArn=machine)[0] == "StateMachineTypeNotSupported"


@pytest.mark.parametrize("operation", ["describe_execution", "stop_execution", "get_execution_history"])
def test_an_unknown_execution_is_refused(sfn: "SFNClient", operation: str) -> None:
    arn = "arn:aws:states:eu-west-1:123456789012:execution:none:none"

    assert refusal(getattr(sfn, operation), executionArn=arn) == (
        "ExecutionDoesNotExist",
        f"Execution Does Not Exist: '{arn}'",
    )


def test_a_history_is_read_in_pages_from_either_end(sfn: "SFNClient", create: Create, closed: Closed) -> None:
    states = {f"S{number}": {"Type": "Pass"} for number in range(4)}
    arn = sfn.start_execution(stateMachineArn=create(machine_of(**states))["stateMachineArn"])["executionArn"]
    closed(arn)

    def ids(**asked: Any) -> list[int]:
        found: list[int] = []
        page = sfn.get_execution_history(executionArn=arn, maxResults=3, **asked)
        while True:
            assert len(page["events"]) <= 3
            found += [event["id"] for event in page["events"]]
            if "nextToken" not in page:
                return found
            page = sfn.get_execution_history(executionArn=arn, maxResults=3, nextToken=page["nextToken"], **asked)

    assert ids() == list(range(1, 11))
    assert ids(reverseOrder=True) == list(range(10, 0, -1))


@pytest.mark.parametrize("token", ["WyJhIl0=", "WzEsMl0="])
def test_a_token_of_another_list_is_refused(sfn: "SFNClient", create: Create, token: str) -> None:
    machine = create()["stateMachineArn"]
    arn = sfn.start_execution(stateMachineArn=machine)["executionArn"]

    assert refusal(sfn.get_execution_history, executionArn=arn, nextToken=token)[0] == "InvalidToken"
    assert refusal(sfn.list_executions, stateMachineArn=machine, nextToken=token)[0] == "InvalidToken"


def test_events_have_details_and_can_omit_data(sfn: "SFNClient", create: Create, closed: Closed) -> None:
    arn = sfn.start_execution(stateMachineArn=create()["stateMachineArn"], input='{"a": 1}')["executionArn"]
    closed(arn)

    whole = sfn.get_execution_history(executionArn=arn)["events"]
    bare = sfn.get_execution_history(executionArn=arn, includeExecutionData=False)["events"]

    assert [event["type"] for event in whole] == [
        "ExecutionStarted",
        "PassStateEntered",
        "PassStateExited",
        "ExecutionSucceeded",
    ]
    entered = whole[1]["stateEnteredEventDetails"]
    assert (entered["name"], json.loads(entered["input"])) == ("Done", {"a": 1})
    assert entered["inputDetails"] == {"truncated": False}
    assert bare[1]["stateEnteredEventDetails"] == {"name": "Done"}


def test_the_api_has_the_details_of_every_event_type() -> None:
    event = botocore.session.Session().get_service_model("stepfunctions").shape_for("HistoryEvent")
    members = set(event.members)  # type: ignore[attr-defined]  # of a structure, which botocore does not say
    types = set(event.members["type"].enum)  # type: ignore[attr-defined]  # the same
    shared = {"stateEnteredEventDetails", "stateExitedEventDetails"}

    placed = {details_key(name) for name in types}

    assert {name for name in members if name.endswith("EventDetails")} <= placed
    assert shared <= placed


def test_a_failed_execution_is_redriven_once_per_token(
    sfn: "SFNClient", create: Create, closed: Closed, server: Server
) -> None:
    server.functions["work"] = lambda _: 1 / 0
    arn = sfn.start_execution(stateMachineArn=create(TASK)["stateMachineArn"])["executionArn"]
    assert closed(arn)["redriveStatus"] == "REDRIVABLE"
    server.functions["work"] = lambda _: "well"

    redriven = sfn.redrive_execution(executionArn=arn, clientToken="token")
    found = closed(arn)
    again = sfn.redrive_execution(executionArn=arn, clientToken="token")

    assert (found["status"], found["redriveCount"], found["output"]) == ("SUCCEEDED", 1, '"well"')
    assert found["redriveDate"] == redriven["redriveDate"] == again["redriveDate"]
    assert refusal(sfn.redrive_execution, executionArn=arn, clientToken="other")[0] == "ExecutionNotRedrivable"


def test_an_execution_whose_machine_is_deleted_is_not_redriven(
    sfn: "SFNClient", create: Create, closed: Closed
) -> None:
    machine = create(FAIL)["stateMachineArn"]
    arn = sfn.start_execution(stateMachineArn=machine)["executionArn"]
    closed(arn)
    sfn.delete_state_machine(stateMachineArn=machine)

    found = sfn.describe_execution(executionArn=arn)

    reason = "State machine is in DELETING status"
    assert (found["redriveStatus"], found["redriveStatusReason"]) == ("NOT_REDRIVABLE", reason)
    assert refusal(sfn.redrive_execution, executionArn=arn) == ("ExecutionNotRedrivable", reason)


def test_start_sync_execution_waits_for_an_express_execution(sfn: "SFNClient", create: Create) -> None:
    good, bad = (create(one, type="EXPRESS")["stateMachineArn"] for one in (PASS, FAIL))

    well = sfn.start_sync_execution(stateMachineArn=good, name="now", input='{"a": 1}')
    ill = sfn.start_sync_execution(stateMachineArn=bad)

    assert well["executionArn"].startswith(f"{good.replace('stateMachine', 'express')}:now:")
    assert (well["status"], well["name"], json.loads(well["output"])) == ("SUCCEEDED", "now", {"a": 1})
    assert well["billingDetails"] == {"billedMemoryUsedInMB": 64, "billedDurationInMilliseconds": 100}
    assert (ill["status"], ill["error"], ill["cause"]) == ("FAILED", "Broken", "It is.")


def test_start_sync_execution_refuses_a_standard_machine(sfn: "SFNClient", create: Create) -> None:
    assert refusal(sfn.start_sync_execution, stateMachineArn=create()["stateMachineArn"]) == (
        "StateMachineTypeNotSupported",
        "This operation is not supported by this type of state machine",
    )


class Tokens:
    """A function that keeps its task token."""

    def __init__(self) -> None:
        self.given, self._token = threading.Event(), ""

    def __call__(self, event: Any) -> None:
        self._token = event["token"]
        self.given.set()

    def wait(self) -> str:
        assert self.given.wait(10)
        return self._token


def ask(sfn: "SFNClient", create: Create, server: Server) -> tuple[str, str]:
    """Start a callback execution, and return its ARN and task token."""
    tokens = server.functions["ask"] = Tokens()
    arn = sfn.start_execution(stateMachineArn=create(TOKEN)["stateMachineArn"])["executionArn"]
    return arn, tokens.wait()


def test_a_task_ends_by_its_token(sfn: "SFNClient", create: Create, closed: Closed, server: Server) -> None:
    arn, token = ask(sfn, create, server)

    sfn.send_task_heartbeat(taskToken=token)
    assert refusal(sfn.send_task_success, taskToken=token, output="not json")[0] == "InvalidOutput"
    sfn.send_task_success(taskToken=token, output='{"well": true}')

    assert json.loads(closed(arn)["output"]) == {"well": True}
    assert refusal(sfn.send_task_success, taskToken=token, output="{}")[0] == "TaskTimedOut"
    assert refusal(sfn.send_task_heartbeat, taskToken="nonsense")[0] == "InvalidToken"


def test_a_task_fails_by_its_token(sfn: "SFNClient", create: Create, closed: Closed, server: Server) -> None:
    arn, token = ask(sfn, create, server)

    sfn.send_task_failure(taskToken=token, error="Broken", cause="It is.")

    found = closed(arn)
    assert (found["status"], found["error"], found["cause"]) == ("FAILED", "Broken", "It is.")


def test_workers_poll_for_the_tasks_of_an_activity(sfn: "SFNClient", create: Create, closed: Closed) -> None:
    activity = sfn.create_activity(name="night-watch", tags=[{"key": "team", "value": "night"}])["activityArn"]
    machine = create(machine_of(Watch={"Type": "Task", "Resource": activity}))["stateMachineArn"]
    arn = sfn.start_execution(stateMachineArn=machine, input='{"gate": 3}')["executionArn"]

    task = sfn.get_activity_task(activityArn=activity, workerName="first")
    sfn.send_task_success(taskToken=task["taskToken"], output='"quiet"')

    assert json.loads(task["input"]) == {"gate": 3}
    assert closed(arn)["output"] == '"quiet"'
    assert sfn.list_tags_for_resource(resourceArn=activity)["tags"] == [{"key": "team", "value": "night"}]


def test_a_worker_without_work_gets_an_empty_answer(sfn: "SFNClient", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asl_engine.server.operations.tasks.POLL_SECONDS", 0.1)
    activity = sfn.create_activity(name="idle")["activityArn"]

    assert "taskToken" not in sfn.get_activity_task(activityArn=activity)


def test_an_activity_is_described_listed_and_deleted(sfn: "SFNClient") -> None:
    made = sfn.create_activity(name="mayfly")
    arn = made["activityArn"]

    assert sfn.create_activity(name="mayfly")["creationDate"] == made["creationDate"]
    found = sfn.describe_activity(activityArn=arn)
    assert (found["name"], found["encryptionConfiguration"]) == ("mayfly", {"type": "AWS_OWNED_KEY"})
    assert arn in {one["activityArn"] for one in sfn.list_activities()["activities"]}
    sfn.delete_activity(activityArn=arn)
    sfn.delete_activity(activityArn=arn)
    assert refusal(sfn.describe_activity, activityArn=arn) == (
        "ActivityDoesNotExist",
        f"Activity Does Not Exist: '{arn}'",
    )
    assert refusal(sfn.get_activity_task, activityArn=arn)[0] == "ActivityDoesNotExist"


def test_a_machine_starts_another_and_waits_for_it(sfn: "SFNClient", create: Create, closed: Closed) -> None:
    inner = create()["stateMachineArn"]
    outer = machine_of(
        Start={
            "Type": "Task",
            "Resource": "arn:aws:states:::states:startExecution.sync:2",
            "Parameters": {"StateMachineArn": inner, "Input": {"a": 1}, "Name": "inner"},
        }
    )
    machine = create(outer)["stateMachineArn"]

    found = closed(sfn.start_execution(stateMachineArn=machine)["executionArn"])
    missing = closed(sfn.start_execution(stateMachineArn=machine)["executionArn"])

    assert json.loads(found["output"])["Output"] == {"a": 1}
    assert missing["error"] == "StepFunctions.ExecutionAlreadyExistsException"


MAP = json.dumps(
    {
        "StartAt": "Each",
        "States": {
            "Each": {
                "Type": "Map",
                "Label": "Gates",
                "MaxConcurrency": 1,
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    "StartAt": "Later",
                    "States": {"Later": {"Type": "Wait", "SecondsPath": "$", "End": True}},
                },
                "End": True,
            }
        },
    }
)


def test_a_map_run_is_listed_described_and_updated(sfn: "SFNClient", create: Create, closed: Closed) -> None:
    machine = create(MAP)["stateMachineArn"]
    arn = sfn.start_execution(stateMachineArn=machine, input="[0, 3600]")["executionArn"]
    [run] = runs_of(sfn, arn)
    children = wait_for(lambda: sfn.list_executions(mapRunArn=run["mapRunArn"])["executions"], 2)
    sfn.update_map_run(mapRunArn=run["mapRunArn"], maxConcurrency=7, toleratedFailurePercentage=50.5)

    found = sfn.describe_map_run(mapRunArn=run["mapRunArn"])
    child = sfn.describe_execution(executionArn=children[0]["executionArn"])
    owner = sfn.describe_state_machine_for_execution(executionArn=children[0]["executionArn"])

    assert (run["executionArn"], run["stateMachineArn"]) == (arn, machine)
    assert (found["status"], found["maxConcurrency"], found["toleratedFailurePercentage"]) == ("RUNNING", 7, 50.5)
    assert (found["itemCounts"]["total"], found["executionCounts"]["running"]) == (2, 1)
    assert (child["mapRunArn"], child["stateMachineArn"]) == (run["mapRunArn"], f"{machine}/Gates")
    assert (owner["mapRunArn"], owner["label"]) == (run["mapRunArn"], "Gates")
    sfn.stop_execution(executionArn=arn)
    closed(arn)
    wait_for(lambda: [1] * (sfn.describe_map_run(mapRunArn=run["mapRunArn"])["status"] != "RUNNING"), 1)
    assert refusal(sfn.update_map_run, mapRunArn=run["mapRunArn"], maxConcurrency=1)[0] == "ValidationException"
    assert refusal(sfn.update_map_run, mapRunArn=run["mapRunArn"])[0] == "ValidationException"


def runs_of(sfn: "SFNClient", arn: str) -> list[Any]:
    return wait_for(lambda: sfn.list_map_runs(executionArn=arn)["mapRuns"], 1)


def wait_for(find: Callable[[], Any], count: int) -> list[Any]:
    """Call ``find`` until it returns ``count`` items, and return them."""
    for _ in range(200):
        if len(found := find()) >= count:
            return list(found)
        time.sleep(0.02)
    raise AssertionError(found)


def test_an_unknown_map_run_is_refused(sfn: "SFNClient") -> None:
    arn = "arn:aws:states:eu-west-1:123456789012:mapRun:none/map:1"

    assert refusal(sfn.describe_map_run, mapRunArn=arn) == ("ResourceNotFound", f"Resource not found: '{arn}'")
