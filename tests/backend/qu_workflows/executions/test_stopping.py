from datetime import timedelta

import pytest

from qu_workflows.executions import step_functions
from qu_workflows.executions.services import BulkAction, plan_named, run_plan
from qu_workflows.executions.stopping import stop_one
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.models import AuditEntry, TaskRecord, TaskStatus
from tests.backend.qu_workflows.executions.test_redriving import failed
from tests.backend.qu_workflows.operated import Operated
from tests.workflows.engine.server.served import ROLE, WAIT

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_running_execution_ends_as_aborted_with_the_reason_and_who(operated: Operated) -> None:
    machine = operated.sfn.create_state_machine(name="waits", definition=WAIT, roleArn=ROLE)["stateMachineArn"]
    record = operated.start(machine)

    message = stop_one(record, "ana", " wrong report ")

    found = operated.sfn.describe_execution(executionArn=record.execution_arn)
    assert (found["status"], found["error"], found["cause"]) == ("ABORTED", "StoppedByOperator", "wrong report (ana)")
    assert message.startswith("stopped at ")
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.target, entry.outcome) == ("ana", "stop_execution", record.pk, "done")
    assert entry.details["reason"] == "wrong report"
    assert operated.followed(record).status == TaskStatus.ABORTED


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"status": TaskStatus.FAILED}, "it is FAILED, not running."),
        ({"status": TaskStatus.SENT}, "its execution has not started. Wait for its start"),
        ({"status": TaskStatus.RUNNING, "execution_arn": ""}, "not at Step Functions. Stop that process"),
    ],
)
def test_what_can_not_be_stopped_is_refused(changes: dict[str, str], said: str) -> None:
    record = failed(**changes)

    with pytest.raises(OperationRefused, match=f"{record.pk}: .*{said}"):
        stop_one(record, "ana", "why")
    with pytest.raises(OperationRefused, match=f"{record.pk}: .*{said}"):
        plan_named(BulkAction.STOP, [record.pk])


@pytest.mark.parametrize(("reason", "per_second", "said"), [(" ", 1, "--reason: is empty"), ("x", 26, "allows 25")])
def test_without_a_reason_or_above_the_quota_nothing_is_stopped(reason: str, per_second: float, said: str) -> None:
    record = failed(status=TaskStatus.RUNNING)

    with pytest.raises(OperationRefused, match=said):
        run_plan(BulkAction.STOP, plan_named(BulkAction.STOP, [record.pk]), "ana", reason=reason, per_second=per_second)

    assert not AuditEntry.objects.exists()


def test_an_execution_that_had_ended_is_not_reported_as_stopped(
    operated: Operated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_functions, "_CLOCKS_DIFFER", timedelta(0))
    record = operated.run()
    TaskRecord.objects.filter(pk=record.pk).update(status=TaskStatus.RUNNING)  # the event of its end was lost

    record.refresh_from_db()

    assert stop_one(record, "ana", "why").startswith("already ended at ")
