"""AWS's rules of redrive, one by one, through boto3 and the SQLite store.

https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
"""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.workflows.engine.redrive_service import NUMBERS, Service, items, wait, work
from tests.workflows.engine.server.served import ACCOUNT, machine_of, refusal

DAY_MS = 86_400_000
FAIL = machine_of(Broken={"Type": "Fail", "Error": "Broken", "Cause": "It is."})
TASK = machine_of(Work=work())
MAP = machine_of(
    Each={
        "Type": "Map",
        "ItemsPath": "$.items",
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "INLINE"},
            "StartAt": "Work",
            "States": {"Work": work(End=True)},
        },
    }
)


# --- what may be redriven ---


def test_failed_timed_out_and_stopped_executions_can_be_redriven(service: Service) -> None:
    failed = service.failed(FAIL)
    timed_out = service.start(service.create(json.dumps({**json.loads(machine_of(Later=wait())), "TimeoutSeconds": 1})))
    stopped = service.start(service.create(machine_of(Later=wait())))
    service.sfn.stop_execution(executionArn=stopped)

    found = [service.closed(arn) for arn in (failed, timed_out, stopped)]

    assert [one["status"] for one in found] == ["FAILED", "TIMED_OUT", "ABORTED"]
    assert {one["redriveStatus"] for one in found} == {"REDRIVABLE"}
    assert not any("redriveStatusReason" in one for one in found)
    for arn in (failed, timed_out, stopped):
        assert "redriveDate" in service.sfn.redrive_execution(executionArn=arn)


def refused_with(service: Service, arn: str, reason: str) -> None:
    """Check that the execution is not redrivable, and its redrive refused, for a reason."""
    described = service.sfn.describe_execution(executionArn=arn)
    assert (described["redriveStatus"], described["redriveStatusReason"]) == ("NOT_REDRIVABLE", reason)
    assert refusal(service.sfn.redrive_execution, executionArn=arn) == ("ExecutionNotRedrivable", reason)


def test_running_and_succeeded_executions_cannot_be_redriven(service: Service) -> None:
    running = service.start(service.create(machine_of(Later=wait())))
    succeeded = service.start(service.create(machine_of(Done={"Type": "Pass"})))
    service.closed(succeeded)

    refused_with(service, running, "Execution is RUNNING and cannot be redriven")
    refused_with(service, succeeded, "Execution is SUCCEEDED and cannot be redriven")


@pytest.mark.parametrize(("later_ms", "may"), [(14 * DAY_MS - 60_000, True), (14 * DAY_MS + 60_000, False)])
def test_an_execution_may_be_redriven_for_fourteen_days_after_its_end(
    service: Service, later_ms: int, may: bool
) -> None:
    arn = service.failed(FAIL)

    service.clock.shift_ms = later_ms

    if may:
        assert service.redriven(arn)["redriveCount"] == 1
    else:
        refused_with(service, arn, "Execution redrivable period exceeded")


def test_an_execution_older_than_a_year_cannot_be_redriven(service: Service) -> None:
    service.clock.shift_ms = -366 * DAY_MS
    arn = service.start(service.create(machine_of(Later=wait(400 * 86_400))))
    service.clock.shift_ms = -2 * DAY_MS
    service.sfn.stop_execution(executionArn=arn)
    assert service.closed(arn)["redriveStatus"] == "REDRIVABLE"

    service.clock.shift_ms = 0

    refused_with(service, arn, "Execution has exceeded the max execution time")


def test_an_execution_older_than_the_feature_cannot_be_redriven(service: Service) -> None:
    service.clock.move_to(1_699_000_000_000)

    arn = service.failed(FAIL)

    refused_with(service, arn, "Execution was started before the launch of RedriveExecution")


def test_an_execution_with_a_full_history_cannot_be_redriven(service: Service) -> None:
    rule = {"Variable": "$.done", "IsPresent": True, "Next": "Done"}
    again = {"Type": "Choice", "Choices": [rule], "Default": "Again"}
    arn = service.failed(json.dumps({"StartAt": "Again", "States": {"Again": again, "Done": {"Type": "Succeed"}}}))

    last = service.sfn.get_execution_history(executionArn=arn, reverseOrder=True, maxResults=1)["events"][0]

    assert (last["id"], last["type"]) == (25_000, "ExecutionFailed")
    assert last["executionFailedEventDetails"] == {
        "error": "States.Runtime",
        "cause": "The execution reached the maximum number of history events (25000).",
    }
    refused_with(service, arn, "Execution history event limit exceeded")


def test_an_execution_of_a_deleted_machine_cannot_be_redriven(service: Service) -> None:
    arn = service.failed(FAIL)

    service.sfn.delete_state_machine(
        stateMachineArn=service.sfn.describe_execution(executionArn=arn)["stateMachineArn"]
    )

    refused_with(service, arn, "State machine is in DELETING status")


def test_an_express_execution_has_no_redrive(service: Service) -> None:
    arn = service.start(service.create(FAIL, type="EXPRESS"))

    assert refusal(service.sfn.redrive_execution, executionArn=arn)[0] == "InvalidArn"


@pytest.mark.parametrize(
    ("arn", "code"),
    [
        (f"arn:aws:states:eu-west-1:{ACCOUNT}:execution:none:none", "ExecutionDoesNotExist"),
        ("none", "InvalidArn"),
        (f"arn:aws:states:eu-west-1:{ACCOUNT}:stateMachine:none", "InvalidArn"),
        ("a" * 257, "ValidationException"),
    ],
)
def test_an_unknown_execution_is_refused(service: Service, arn: str, code: str) -> None:
    assert refusal(service.sfn.redrive_execution, executionArn=arn)[0] == code


def test_a_client_token_has_1_to_64_characters_of_ascii(service: Service) -> None:
    arn = service.failed(FAIL)

    for token in ("t" * 65, "é"):
        code, _ = refusal(service.sfn.redrive_execution, executionArn=arn, clientToken=token)
        assert code == "ValidationException"


# --- what stays the same ---


def test_arn_definition_version_and_alias_are_kept(service: Service) -> None:
    sfn = service.sfn
    machine = service.create(machine_of(First={"Type": "Pass", "Result": "of the first"}, Work=work()))
    service.broken.add("of the first")
    first = sfn.publish_state_machine_version(stateMachineArn=machine)["stateMachineVersionArn"]
    route = {"weight": 100, "stateMachineVersionArn": first}
    alias = sfn.create_state_machine_alias(name="live", routingConfiguration=[route])["stateMachineAliasArn"]  # type: ignore[list-item]  # boto3's types want a TypedDict
    arn = service.start(alias)
    service.closed(arn)
    sfn.update_state_machine(stateMachineArn=machine, definition=machine_of(Other={"Type": "Pass"}))
    second = sfn.publish_state_machine_version(stateMachineArn=machine)["stateMachineVersionArn"]
    sfn.update_state_machine_alias(
        stateMachineAliasArn=alias, routingConfiguration=[{"weight": 100, "stateMachineVersionArn": second}]
    )
    service.broken.clear()

    found = service.redriven(arn)

    assert (found["status"], found["output"], found["executionArn"]) == ("SUCCEEDED", '"of the first"', arn)
    assert (found["stateMachineVersionArn"], found["stateMachineAliasArn"]) == (first, alias)


def test_results_of_finished_states_are_kept(service: Service) -> None:
    definition = machine_of(
        First=work(Parameters="first", ResultPath="$.first"), Work=work(Parameters={"item.$": "$.item"})
    )
    service.broken.add("a")
    arn = service.failed(definition, input='{"item": "a"}')
    service.broken.clear()

    found = service.redriven(arn)

    assert (found["status"], found["input"]) == ("SUCCEEDED", '{"item": "a"}')
    assert service.calls == ["a"]  # and not the first one again
    entered = [event["stateEnteredEventDetails"] for event in service.history(arn) if "Entered" in event["type"]]
    assert json.loads(entered[-1]["input"]) == {"item": "a", "first": "first"}


# --- which states rerun ---


def test_a_task_is_scheduled_again_without_a_new_entry(service: Service) -> None:
    service.broken.add("a")
    arn = service.failed(TASK, input='{"item": "a"}')
    service.broken.clear()

    service.redriven(arn)

    assert service.types_after_redrive(arn) == [
        "ExecutionRedriven",
        "LambdaFunctionScheduled",
        "LambdaFunctionStarted",
        "LambdaFunctionSucceeded",
        "TaskStateExited",
        "ExecutionSucceeded",
    ]


def test_a_finished_pass_does_not_rerun(service: Service) -> None:
    service.broken.add("a")
    arn = service.failed(machine_of(Before={"Type": "Pass"}, Work=work()), input='{"item": "a"}')

    service.redriven(arn)

    assert "PassStateEntered" not in service.types_after_redrive(arn)


def test_the_rules_of_a_choice_are_evaluated_again(service: Service) -> None:
    choice = {"Type": "Choice", "Choices": [{"Variable": "$.none", "IsPresent": True, "Next": "Done"}]}
    arn = service.failed(machine_of(Which=choice, Done={"Type": "Succeed"}))

    found = service.redriven(arn)

    assert (found["status"], found["redriveCount"]) == ("FAILED", 1)
    assert service.types_after_redrive(arn) == ["ExecutionRedriven", "ExecutionFailed"]


@pytest.mark.parametrize("kind", ["Timestamp", "Seconds"])
def test_a_wait_whose_end_is_past_continues_at_once(service: Service, kind: str) -> None:
    later = {"Type": "Wait", "Timestamp": "2024-01-01T00:00:00Z"} if kind == "Timestamp" else wait(60)
    if kind == "Timestamp":
        service.clock.move_to(1_704_000_000_000)  # the day before
    arn = service.start(service.create(machine_of(Later=later)))
    service.sfn.stop_execution(executionArn=arn)
    service.clock.shift_ms += 2 * DAY_MS

    found = service.redriven(arn)

    assert found["status"] == "SUCCEEDED"
    assert service.types_after_redrive(arn) == ["ExecutionRedriven", "WaitStateExited", "ExecutionSucceeded"]


def test_a_fail_state_is_entered_again_and_fails_again(service: Service) -> None:
    arn = service.failed(FAIL)

    found = service.redriven(arn)

    assert (found["status"], found["error"], found["cause"]) == ("FAILED", "Broken", "It is.")
    assert service.types_after_redrive(arn) == ["ExecutionRedriven", "FailStateEntered", "ExecutionFailed"]


def test_only_the_branches_that_failed_or_were_aborted_rerun(service: Service) -> None:
    def branch(**states: Any) -> dict[str, Any]:
        return dict(json.loads(machine_of(**states)))

    branches = [
        branch(Good=work(Parameters="good")),
        branch(Broken={"Type": "Wait", "Seconds": 1}, Bad=work(Parameters="bad")),
        branch(Slow=wait(2), After=work(Parameters="after")),
    ]
    service.broken.add("bad")
    arn = service.failed(machine_of(Both={"Type": "Parallel", "Branches": branches}))
    service.broken.clear()

    found = service.redriven(arn)

    assert json.loads(found["output"]) == ["good", "bad", "after"]
    assert sorted(service.calls) == ["after", "bad"]


def test_only_the_iterations_that_failed_or_were_aborted_rerun(service: Service) -> None:
    service.broken.add("b")
    arn = service.failed(MAP, input=items("a", "b", "c"))
    done_before = {event["mapIterationSucceededEventDetails"]["index"] for event in service.history(arn)
                   if event["type"] == "MapIterationSucceeded"}  # fmt: skip
    service.broken.clear()

    found = service.redriven(arn)

    assert json.loads(found["output"]) == ["a", "b", "c"]
    assert sorted(service.calls) == sorted(name for index, name in enumerate("abc") if index not in done_before)


@pytest.mark.parametrize("kind", ["Parallel", "Map"])
def test_all_children_rerun_if_their_results_were_too_large(service: Service, kind: str) -> None:
    large = {"Type": "Task", "Resource": f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:large", "End": True}
    service.server.functions["large"] = lambda event: service.calls.append(event) or "x" * 140_000  # type: ignore[func-returns-value]  # append gives None
    programs = [{"StartAt": name, "States": {name: large}} for name in ("One", "Other")]
    both: dict[str, Any] = {"Type": "Parallel", "Branches": programs}
    if kind == "Map":
        both = {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": programs[0]}
    arn = service.failed(machine_of(Both=both), input=items("a", "b"))
    assert service.closed(arn)["error"] == "States.DataLimitExceeded"

    found = service.redriven(arn)

    assert found["error"] == "States.DataLimitExceeded"
    assert len(service.calls) == 2


# --- counters and clocks ---


@pytest.mark.parametrize("kind", ["Task", "Parallel", "Map"])
def test_retries_count_from_zero(service: Service, kind: str) -> None:
    retry = {"Retry": [{"ErrorEquals": ["Broken"], "MaxAttempts": 2, "IntervalSeconds": 1, "BackoffRate": 1}]}
    state = work(**retry)
    program = {"StartAt": "Inner", "States": {"Inner": work(End=True)}}
    if kind == "Parallel":
        state = {"Type": "Parallel", "Branches": [program], **retry}
    elif kind == "Map":
        state = {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": program, **retry}
    service.broken.add("a")
    text = items("a") if kind == "Map" else '{"item": "a"}'
    arn = service.start(service.create(machine_of(Work=state)), input=text)
    service.closed(arn)
    assert service.calls == ["a"] * 3

    service.redriven(arn)

    assert service.calls == ["a"] * 6


def test_the_timeouts_of_task_and_machine_restart(service: Service) -> None:
    activity = service.sfn.create_activity(name=f"rules-{next(NUMBERS)}")["activityArn"]
    hangs = {"Type": "Task", "Resource": activity, "TimeoutSeconds": 1}
    definition = json.loads(machine_of(First=hangs))
    arn = service.failed(json.dumps({**definition, "TimeoutSeconds": 5}))
    assert service.closed(arn)["error"] == "States.Timeout"
    service.clock.shift_ms = 6000  # the machine's first end is past

    before_ms = service.clock.now_ms()
    found = service.redriven(arn)

    assert (found["status"], found["error"]) == ("FAILED", "States.Timeout")  # by the task's own, a second later
    assert service.clock.now_ms() - before_ms >= 1000


# --- history ---


def test_the_history_continues_with_a_counted_event(service: Service) -> None:
    arn = service.failed(FAIL)
    before = service.history(arn)

    service.redriven(arn)
    service.redriven(arn)

    events = service.history(arn)
    assert events[: len(before)] == before
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    redriven = [event for event in events if event["type"] == "ExecutionRedriven"]
    assert [event["executionRedrivenEventDetails"] for event in redriven] == [{"redriveCount": 1}, {"redriveCount": 2}]
    assert redriven[0]["previousEventId"] == len(before)


# --- idempotency ---


def test_the_same_token_redrives_once(service: Service) -> None:
    arn = service.failed(FAIL)
    once = service.sfn.redrive_execution(executionArn=arn, clientToken="a")["redriveDate"]
    service.closed(arn)

    again = service.sfn.redrive_execution(executionArn=arn, clientToken="a")["redriveDate"]

    assert again == once
    assert service.closed(arn)["redriveCount"] == 1
    assert service.sfn.redrive_execution(executionArn=arn, clientToken="b")["redriveDate"] >= once
    assert service.closed(arn)["redriveCount"] == 2


def test_a_token_holds_for_a_quarter_of_an_hour(service: Service) -> None:
    arn = service.failed(FAIL)
    service.sfn.redrive_execution(executionArn=arn, clientToken="a")
    service.closed(arn)
    service.clock.shift_ms = 14 * 60_000
    service.sfn.redrive_execution(executionArn=arn, clientToken="a")
    assert service.closed(arn)["redriveCount"] == 1

    service.clock.shift_ms = 15 * 60_000
    service.sfn.redrive_execution(executionArn=arn, clientToken="a")

    assert service.closed(arn)["redriveCount"] == 2


def test_the_last_ten_tokens_hold(service: Service) -> None:
    arn = service.failed(FAIL)
    for number in range(11):
        service.sfn.redrive_execution(executionArn=arn, clientToken=f"token-{number}")
        service.closed(arn)

    service.sfn.redrive_execution(executionArn=arn, clientToken="token-1")
    assert service.closed(arn)["redriveCount"] == 11
    service.sfn.redrive_execution(executionArn=arn, clientToken="token-0")

    assert service.closed(arn)["redriveCount"] == 12


def test_concurrent_requests_with_one_token_redrive_once(service: Service) -> None:
    arn = service.failed(FAIL)

    with ThreadPoolExecutor(20) as threads:
        answers = list(
            threads.map(lambda _: service.sfn.redrive_execution(executionArn=arn, clientToken="a"), range(20))
        )

    assert len({answer["redriveDate"] for answer in answers}) == 1
    assert service.closed(arn)["redriveCount"] == 1


def test_a_refused_redrive_does_not_use_its_token(service: Service) -> None:
    arn = service.start(service.create(machine_of(Later=wait())))
    refusal(service.sfn.redrive_execution, executionArn=arn, clientToken="a")
    service.sfn.stop_execution(executionArn=arn)

    service.sfn.redrive_execution(executionArn=arn, clientToken="a")

    assert service.sfn.describe_execution(executionArn=arn)["redriveCount"] == 1


# --- describing and listing ---


def test_count_and_date_of_the_last_redrive_are_described(service: Service) -> None:
    arn = service.failed(FAIL)
    assert service.closed(arn)["redriveCount"] == 0
    assert "redriveDate" not in service.closed(arn)

    date = service.sfn.redrive_execution(executionArn=arn)["redriveDate"]

    found = service.closed(arn)
    assert (found["redriveCount"], found["redriveDate"]) == (1, date)


def test_a_redriven_execution_that_succeeds_keeps_no_error(service: Service) -> None:
    service.broken.add("a")
    arn = service.failed(TASK, input='{"item": "a"}')
    service.broken.clear()

    found = service.redriven(arn)

    assert found["status"] == "SUCCEEDED"
    assert not {"error", "cause"} & set(found)


def test_executions_are_listed_by_last_start_or_redrive(service: Service) -> None:
    machine = service.create(machine_of(Later=wait()))
    first, second = service.start(machine, name="first"), service.start(machine, name="second")
    service.sfn.stop_execution(executionArn=first)
    service.clock.shift_ms = 1000
    assert [one["name"] for one in service.sfn.list_executions(stateMachineArn=machine)["executions"]] == [
        "second",
        "first",
    ]

    date = service.sfn.redrive_execution(executionArn=first)["redriveDate"]

    listed = service.sfn.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"]
    assert [(one["name"], one["redriveCount"]) for one in listed] == [("first", 1), ("second", 0)]
    assert listed[0]["redriveDate"] == date
    assert second == listed[1]["executionArn"]


def test_redrive_filter_and_pending_redrive_need_a_map_run(service: Service) -> None:
    machine = service.create(FAIL)

    for asked in ({"redriveFilter": "REDRIVEN"}, {"statusFilter": "PENDING_REDRIVE"}):
        assert refusal(service.sfn.list_executions, stateMachineArn=machine, **asked)[0] == "ValidationException"


def test_a_redrive_is_reported_as_a_change_of_status(service: Service) -> None:
    arn = service.failed(FAIL)

    service.redriven(arn)

    assert [(one.status, one.redrive_count) for one in service.reported_of(arn, 4)] == [
        ("RUNNING", 0),
        ("FAILED", 0),
        ("RUNNING", 1),
        ("FAILED", 1),
    ]
