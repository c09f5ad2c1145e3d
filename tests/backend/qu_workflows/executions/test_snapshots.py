"""The rate of calls to Step Functions, and pages without its answer."""

import pytest
from pytest_django import Settings

from qu_workflows.aws.pacing import DESCRIBE, HISTORY
from qu_workflows.executions.snapshots import (
    RUNNING_SECONDS,
    Allowance,
    AskedTooOften,
    ExecutionSnapshot,
    ExecutionSnapshots,
)
from qu_workflows.records.models import TaskStatus
from tests.backend.qu_workflows.operated import Operated
from tests.workflows.engine.server.served import ROLE, machine_of

pytestmark = pytest.mark.django_db(transaction=True)


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def counted(operated: Operated) -> list[str]:
    """Return the calls that are made from now on, as they come."""
    calls: list[str] = []
    operated.sfn.meta.events.register("before-call.stepfunctions", lambda model, **_given: calls.append(model.name))
    return calls


def test_a_process_asks_at_most_half_of_the_quota_a_second(settings: Settings) -> None:
    settings.AWS_REGION = "us-east-2"
    time = Time()
    allowance = Allowance(HISTORY, time)
    calls = 0
    for _step in range(10_000):
        time.now += 0.01
        try:
            allowance.take()
            calls += 1
        except AskedTooOften:
            continue

    assert 10 * 100 <= calls <= 10 * 100 + 40  # 20 a second is the quota; 40 at once are saved up


def test_a_throttled_refresh_is_reported_and_keeps_the_old_snapshot(operated: Operated) -> None:
    time = Time()
    snapshots = ExecutionSnapshots(time)
    record = operated.run(2)
    taken: list[ExecutionSnapshot] = []
    while not taken or not taken[-1].unanswered:  # as a hundred pages would
        snapshots.expire(record.execution_arn)
        taken.append(snapshots.get(record))
    *_earlier, before, after = taken

    assert DESCRIBE.operation in after.unanswered
    assert (after.history, after.as_of) == (before.history, before.as_of)


def test_of_what_runs_only_the_newest_events_are_asked_for_again(operated: Operated) -> None:
    time = Time()
    snapshots = ExecutionSnapshots(time)
    definition = machine_of(First={"Type": "Pass"}, Later={"Type": "Wait", "Seconds": 3600})
    made = operated.sfn.create_state_machine(name="newest", definition=definition, roleArn=ROLE)
    record = operated.start(made["stateMachineArn"])
    first = snapshots.get(record)
    calls = counted(operated)

    assert snapshots.get(record) == first
    time.now += RUNNING_SECONDS + 1
    operated.sfn.stop_execution(executionArn=record.execution_arn)
    second = snapshots.get(record)

    assert first.history and second.history
    assert second.history.events[: len(first.history.events)] == first.history.events
    assert second.history.status == TaskStatus.ABORTED
    assert calls == ["StopExecution", "DescribeExecution", "GetExecutionHistory"]


def test_after_a_change_of_the_record_step_functions_is_asked_again(operated: Operated) -> None:
    snapshots = ExecutionSnapshots(Time())
    record = operated.run(2)
    snapshots.get(record)
    calls = counted(operated)

    record.redrive_count += 1
    snapshots.get(record)

    assert "GetExecutionHistory" in calls
