"""Tasks: their events, retries, catchers, timeouts and task tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_engine.core.commands import InvokeTask
from asl_engine.core.events import (
    Start,
    Stop,
    TaskFailed,
    TaskHeartbeat,
    TaskStarted,
    TaskSubmitted,
    TaskSucceeded,
    TimerFired,
)
from asl_engine.core.execution import Status
from asl_engine.core.retry import delay_before, matches
from asl_engine.core.task_state import read_task_token, task_token
from asl_engine.definition.program import Retrier
from asl_engine.jsontext import Json
from tests.workflows.engine.core.drive import START_MS, Drive, Failure, machine, task

FUNCTION = "arn:aws:lambda:us-east-1:111111111111:function:work"
INVOKE = "arn:aws:states:::lambda:invoke"
CALLBACK = "arn:aws:states:::aws-sdk:sqs:sendMessage.waitForTaskToken"
ACTIVITY = "arn:aws:states:us-east-1:111111111111:activity:work"
PASS = {"Type": "Pass"}


def waiting(**fields: Json) -> tuple[Drive, InvokeTask]:
    """Return an execution that waits for a task, and the task's command."""
    drive = Drive(machine(("Do", task(**fields))))
    drive.send(Start())
    return drive, drive.invoked[0]


@pytest.mark.parametrize(
    ("resource", "types"),
    [
        (FUNCTION, ["LambdaFunctionScheduled", "LambdaFunctionStarted", "LambdaFunctionSucceeded"]),
        ("a function of this process", ["LambdaFunctionScheduled", "LambdaFunctionStarted", "LambdaFunctionSucceeded"]),
        (INVOKE, ["TaskScheduled", "TaskStarted", "TaskSucceeded"]),
        (ACTIVITY, ["ActivityScheduled", "ActivityStarted", "ActivitySucceeded"]),
    ],
)
def test_each_kind_of_resource_has_its_own_events(resource: str, types: list[str]) -> None:
    drive = Drive(machine(("Do", task(resource))), tasks={"Do": ["done"]}).start()

    assert drive.types(since=2) == [*types, "TaskStateExited", "ExecutionSucceeded"]
    assert drive.links() == [0, 0, 2, 3, 4, 5, 6]
    assert drive.output == "done"


def test_an_integrations_events_have_resource_region_and_timeouts() -> None:
    drive, sent = waiting(resource=CALLBACK, Parameters={"a": 1}, TimeoutSeconds=60, HeartbeatSeconds=5)

    assert drive.last.details == {
        "resourceType": "aws-sdk:sqs",
        "resource": "sendMessage.waitForTaskToken",
        "region": "us-east-1",
        "parameters": '{"a":1}',
        "timeoutInSeconds": 60,
        "heartbeatInSeconds": 5,
    }
    assert (sent.parameters, sent.timeout_seconds) == ({"a": 1}, 60)


def test_timeouts_can_come_from_the_input() -> None:
    drive = Drive(machine(("Do", task(TimeoutSecondsPath="$.t", HeartbeatSecondsPath="$.h"))), {"t": 60, "h": 5})
    drive.send(Start())

    scheduled = drive.of("LambdaFunctionScheduled")[0].details
    assert (scheduled["timeoutInSeconds"], scheduled["heartbeatInSeconds"]) == (60, 5)


def test_a_submitted_task_waits_for_its_token() -> None:
    drive, sent = waiting(resource=CALLBACK)
    drive.send(TaskSubmitted(sent.branch_id, sent.token, {"MessageId": "m"}))

    assert drive.types(since=3) == ["TaskStarted", "TaskSubmitted"]
    assert drive.status is Status.RUNNING

    drive.send(TaskSucceeded(sent.branch_id, sent.token, {"ok": True}))
    assert drive.output == {"ok": True}


def test_a_task_token_names_its_task() -> None:
    _, sent = waiting(resource=CALLBACK)

    assert sent.task_token is not None
    assert read_task_token(sent.task_token)[1:] == (sent.branch_id, sent.token)


@pytest.mark.parametrize("text", ["", "not a token", task_token("a", 1, 2, 3)[:-8], "Zm9v"])
def test_an_invalid_task_token_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_task_token(text)


def test_an_activity_is_started_by_its_worker() -> None:
    drive, sent = waiting(resource=ACTIVITY)
    drive.send(TaskStarted(sent.branch_id, sent.token, "worker 1"))
    drive.send(TaskStarted(sent.branch_id, sent.token, "worker 2"))

    assert [event.details for event in drive.of("ActivityStarted")] == [{"workerName": "worker 1"}]


@pytest.mark.parametrize(
    ("resource", "phase", "types"),
    [
        (FUNCTION, "run", ["LambdaFunctionStarted", "LambdaFunctionFailed"]),
        (FUNCTION, "start", ["LambdaFunctionStartFailed"]),
        (FUNCTION, "schedule", ["LambdaFunctionScheduleFailed"]),
        (INVOKE, "run", ["TaskStarted", "TaskFailed"]),
        (INVOKE, "start", ["TaskStartFailed"]),
        (CALLBACK, "submit", ["TaskStarted", "TaskSubmitFailed"]),
        (ACTIVITY, "schedule", ["ActivityScheduleFailed"]),
    ],
)
def test_the_phase_of_a_failure_selects_its_event(resource: str, phase: str, types: list[str]) -> None:
    drive, sent = waiting(resource=resource)
    drive.send(TaskFailed(sent.branch_id, sent.token, "Bad", "because", phase))

    assert drive.types(since=3) == [*types, "ExecutionFailed"]
    assert drive.last.details == {"error": "Bad", "cause": "because"}


@pytest.mark.parametrize(
    ("resource", "subject"),
    [
        (FUNCTION, FUNCTION),
        ("arn:aws:states:::lambda:invoke", "lambda"),
        ("arn:aws:states:::aws-sdk:sqs:x", "aws-sdk:sqs"),
    ],
)
def test_too_large_a_result_fails_the_task_and_can_be_caught(resource: str, subject: str) -> None:
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "All"}]
    definition = machine(("Do", task(resource, Catch=catch, End=True)), ("All", PASS))

    drive = Drive(definition, tasks={"Do": ["x" * 300_000]}).start()

    assert drive.output["Error"] == "States.DataLimitExceeded"
    assert drive.output["Cause"].startswith(f"The state/task '{subject}' returned a result")


def test_a_task_of_an_activity_that_does_not_exist_fails_uncaught() -> None:
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "All"}]
    definition = machine(("Do", task(ACTIVITY, Catch=catch, End=True)), ("All", PASS))
    drive = Drive(definition)
    drive.activities = set()
    drive.start()

    assert drive.types() == ["ExecutionStarted", "TaskStateEntered", "ExecutionFailed"]
    assert drive.last.details == {
        "error": "States.Runtime",
        "cause": "An error occurred while executing the state 'Do' (entered at the event id #2). "
        "The activity ARN does not exist.",
    }


# --- late, doubled and unknown events ---


@given(st.sampled_from(["token", "branch"]), st.integers(1, 50))
def test_an_event_of_another_task_changes_nothing(wrong: str, by: int) -> None:
    drive, sent = waiting()
    branch_id, token = (sent.branch_id, sent.token + by) if wrong == "token" else (sent.branch_id + by, sent.token)

    for event in (
        TaskSucceeded(branch_id, token, 1),
        TaskFailed(branch_id, token, "E", None),
        TimerFired(branch_id, token),
    ):
        assert drive.send(event) == []
    assert drive.status is Status.RUNNING


def test_a_repeated_result_counts_once() -> None:
    drive = Drive(machine(("Do", task()), ("Wait", {"Type": "Wait", "Seconds": 9})))
    drive.send(Start())
    sent = drive.invoked[0]
    drive.send(TaskSucceeded(sent.branch_id, sent.token, 1))

    assert drive.send(TaskSucceeded(sent.branch_id, sent.token, 2)) == []
    assert drive.send(TaskFailed(sent.branch_id, sent.token, "E", None)) == []
    assert drive.run().output == 1


# --- retriers and catchers ---


@pytest.mark.parametrize(
    ("names", "error", "expected"),
    [
        (["Bad"], "Bad", True),
        (["Other"], "Bad", False),
        (["States.ALL"], "Bad", True),
        (["States.ALL"], "States.Timeout", True),
        (["States.ALL"], "States.DataLimitExceeded", True),
        (["States.TaskFailed"], "States.DataLimitExceeded", False),
        (["States.ALL"], "States.Runtime", False),
        (["States.ALL"], None, True),
        (["States.TaskFailed"], "Bad", True),
        (["States.TaskFailed"], "States.Timeout", False),
        (["States.DataLimitExceeded"], "States.DataLimitExceeded", True),
        (["States.HeartbeatTimeout"], "States.Timeout", False),
    ],
)
def test_error_equals_names_errors_as_on_aws(names: list[str], error: str | None, expected: bool) -> None:
    assert matches(tuple(names), error) is expected


def test_a_missed_heartbeat_has_two_names() -> None:
    assert matches(("States.HeartbeatTimeout",), "States.Timeout", is_heartbeat=True)
    assert matches(("States.Timeout",), "States.Timeout", is_heartbeat=True)


retriers = st.builds(
    Retrier,
    error_equals=st.just(("States.ALL",)),
    interval_seconds=st.integers(1, 99_999_999),
    backoff_rate=st.floats(1.0, 10.0),
    max_delay_seconds=st.integers(1, 31_622_399),
)


@given(retriers, st.integers(1, 10_000))
def test_delays_never_shrink_and_are_capped(retrier: Retrier, retry_number: int) -> None:
    delay = delay_before(retrier, retry_number)

    assert retrier.max_delay_seconds is not None
    assert 0 < delay <= delay_before(retrier, retry_number + 1) <= retrier.max_delay_seconds


def test_retries_wait_longer_and_do_not_enter_the_state() -> None:
    retry = [{"ErrorEquals": ["Bad"], "IntervalSeconds": 2, "BackoffRate": 3, "MaxAttempts": 2}]
    drive = Drive(machine(("Do", task(Retry=retry))), tasks={"Do": [Failure("Bad"), Failure("Bad"), "done"]})
    drive.start()

    assert [command.token for command in drive.invoked] == sorted({command.token for command in drive.invoked})
    scheduled = [event.at_ms for event in drive.of("LambdaFunctionScheduled")]
    assert [at - START_MS for at in scheduled] == [0, 2001, 8002]
    assert drive.types().count("TaskStateEntered") == 1
    assert [event.previous_id for event in drive.of("LambdaFunctionScheduled")] == [2, 5, 8]
    assert drive.output == "done"


def test_each_retrier_counts_its_own_retries() -> None:
    retry = [{"ErrorEquals": ["A"], "MaxAttempts": 1}, {"ErrorEquals": ["States.ALL"], "MaxAttempts": 1}]
    drive = Drive(machine(("Do", task(Retry=retry))), tasks={"Do": [Failure("A"), Failure("B"), Failure("A")]})

    assert drive.start().last.details == {"error": "A"}
    assert drive.count("Do") == 3


def test_the_retry_count_restarts_with_the_next_state_entry() -> None:
    definition = machine(
        ("Do", task(Parameters={"n.$": "$$.State.RetryCount"}, ResultPath=None, Retry=[{"ErrorEquals": ["Bad"]}])),
        ("Again", task(Parameters={"n.$": "$$.State.RetryCount"})),
    )
    drive = Drive(definition, tasks={"Do": [Failure("Bad"), Failure("Bad"), 1], "Again": [1]}).start()

    assert [command.parameters["n"] for command in drive.invoked] == [0, 1, 2, 0]


def test_jitter_takes_a_part_of_the_delay() -> None:
    retry = [{"ErrorEquals": ["Bad"], "IntervalSeconds": 100, "JitterStrategy": "FULL"}]
    drive = Drive(machine(("Do", task(Retry=retry))), tasks={"Do": [Failure("Bad"), 1]}).start()

    assert START_MS < drive.now_ms < START_MS + 100_000


def test_a_catcher_writes_error_and_cause_to_its_result_path() -> None:
    catch = [{"ErrorEquals": ["Bad"], "ResultPath": "$.error", "Next": "After"}]
    definition = machine(("Do", task(Catch=catch, End=True)), ("After", PASS))

    drive = Drive(definition, {"a": 1}, tasks={"Do": [Failure("Bad", "because")]}).start()

    assert drive.output == {"a": 1, "error": {"Error": "Bad", "Cause": "because"}}
    assert "TaskStateExited" in drive.types()


def test_a_catcher_that_fails_itself_fails_the_state_a_second_time() -> None:
    branch = machine(("Boom", {"Type": "Fail", "Error": "Bad", "Cause": "because"}))
    catch = [
        {"ErrorEquals": ["Other"], "Next": "After"},
        {"ErrorEquals": ["States.ALL"], "Output": {"v": "{% $states.input.missing %}"}, "Next": "After"},
    ]
    definition = machine(
        ("Both", {"Type": "Parallel", "Branches": [branch], "Catch": catch, "End": True}),
        ("After", PASS),
        QueryLanguage="JSONata",
    )

    drive = Drive(definition).start()

    assert drive.types(since=4) == ["ParallelStateFailed", "EvaluationFailed", "ParallelStateFailed", "ExecutionFailed"]
    assert drive.links() == [0, 0, 2, 3, 4, 4, 6, 7]
    assert drive.of("EvaluationFailed")[0].details["location"] == "Catch[1]/Output/v"


def test_states_runtime_is_neither_retried_nor_caught() -> None:
    anything = [{"ErrorEquals": ["States.ALL"]}]
    fields: dict[str, Json] = {
        "Retry": anything,
        "Catch": [anything[0] | {"Next": "After"}],
        "Parameters": {"a.$": "$.missing"},
    }
    definition = machine(("Do", task(**fields, End=True)), ("After", PASS))

    drive = Drive(definition).start()

    assert drive.types() == ["ExecutionStarted", "TaskStateEntered", "ExecutionFailed"]
    assert drive.execution.error == "States.Runtime"


# --- time ---


def test_a_task_without_an_answer_times_out() -> None:
    drive, sent = waiting(TimeoutSeconds=5)
    drive.run()

    assert drive.execution.stop_ms == START_MS + 5000
    assert drive.types(since=3) == ["LambdaFunctionStarted", "LambdaFunctionTimedOut", "ExecutionFailed"]
    assert drive.last.details == {"error": "States.Timeout"}
    assert (sent.branch_id, sent.token) in drive.cancelled


def test_an_answer_after_the_timeout_changes_nothing() -> None:
    drive = Drive(
        machine(
            ("Do", task(TimeoutSeconds=5, Catch=[{"ErrorEquals": ["States.Timeout"], "Next": "After"}], End=True)),
            ("After", {"Type": "Wait", "Seconds": 5}),
        )
    )
    drive.send(Start())
    sent = drive.invoked[0]
    drive.run(until_ms=START_MS + 6000)

    assert drive.send(TaskSucceeded(sent.branch_id, sent.token, 1)) == []
    assert drive.run().output == {"Error": "States.Timeout", "Cause": ""}


def test_heartbeats_extend_a_task() -> None:
    drive, sent = waiting(resource=CALLBACK, HeartbeatSeconds=5)
    for second in (4, 8):
        drive.run(until_ms=START_MS + second * 1000)
        drive.send(TaskHeartbeat(sent.branch_id, sent.token))

    drive.run()

    assert drive.execution.stop_ms == START_MS + 13_000
    assert drive.types(since=3) == ["TaskStarted", "TaskTimedOut", "ExecutionFailed"]


def test_an_activitys_heartbeat_timeout_begins_with_its_worker() -> None:
    drive, sent = waiting(resource=ACTIVITY, HeartbeatSeconds=5, TimeoutSeconds=600)
    drive.run(until_ms=START_MS + 60_000)
    drive.send(TaskStarted(sent.branch_id, sent.token, "worker"))

    drive.run()

    assert drive.execution.stop_ms == START_MS + 65_000
    assert drive.types(since=3) == ["ActivityStarted", "ActivityTimedOut", "ExecutionFailed"]


def test_an_execution_times_out_as_a_whole() -> None:
    drive = Drive(machine(("Do", task()), TimeoutSeconds=30)).start()

    assert (drive.status, drive.execution.stop_ms) == (Status.TIMED_OUT, START_MS + 30_000)
    assert (drive.last.type, drive.last.previous_id, drive.last.details) == (
        "ExecutionTimedOut",
        0,
        {"error": "States.Timeout"},
    )
    assert drive.execution.error is None
    assert drive.cancelled == {(drive.invoked[0].branch_id, drive.invoked[0].token)}


def test_a_stopped_execution_cancels_its_tasks_and_ignores_events() -> None:
    drive, sent = waiting()
    drive.send(Stop("Manual", "enough"))

    assert (drive.status, drive.last.type, drive.last.details) == (
        Status.ABORTED,
        "ExecutionAborted",
        {"error": "Manual", "cause": "enough"},
    )
    assert (sent.branch_id, sent.token) in drive.cancelled
    assert drive.send(TaskSucceeded(sent.branch_id, sent.token, 1)) == []
    assert drive.send(Stop()) == []
