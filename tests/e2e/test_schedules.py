"""A schedule starts one execution, named after the schedule and its time."""

import json
from collections import Counter
from datetime import UTC, datetime

from deploy.local.demo.operations import digests_of, fire_soon
from qu_workflows.protocol.execution_names import scheduled_id
from qu_workflows.protocol.message import SCHEDULED_TIME
from tests.e2e.conftest import WholePath, eventually
from workflows.schedules import SCHEDULES_BY_NAME


def deployed_message(path: WholePath, schedule: str) -> str:
    group = path.stack.outputs["SchedulesGroupName"]
    return path.stack.aws.scheduler.get_schedule(GroupName=group, Name=schedule)["Target"]["Input"]


def test_every_schedule_is_deployed_as_it_was_declared(path: WholePath) -> None:
    group = path.stack.outputs["SchedulesGroupName"]
    found = path.stack.aws.scheduler.list_schedules(GroupName=group)["Schedules"]

    assert {schedule["Name"] for schedule in found} == set(SCHEDULES_BY_NAME)
    assert {schedule["State"] for schedule in found} == {"ENABLED"}


def test_the_outbox_is_sent_by_its_schedule_every_minute(path: WholePath) -> None:
    query = (
        "SELECT id, execution_arn FROM executions_taskrecord"
        " WHERE schedule = 'send_outbox' AND status = 'SUCCEEDED' AND finished_at IS NOT NULL ORDER BY id LIMIT 1"
    )

    # It fires by itself, one minute after the stack has started.
    [(task_id, arn)] = eventually(lambda: path.rows(query), "a run of send_outbox", within_seconds=100)

    assert arn == path.arn(task_id, "run_task")
    output = json.loads(path.execution(arn).output)
    assert output.keys() >= {"sent", "failed"} or output.keys() == {"skipped"}


def test_a_digest_that_its_schedule_starts_is_mailed_to_the_client(path: WholePath) -> None:
    aws, group = path.stack.aws, path.stack.outputs["SchedulesGroupName"]
    report = path.send_report("photographer.jpg")
    path.finished(report["async_processing"]["task_id"])
    yesterday = "UPDATE reports_guardreport SET report_datetime = report_datetime - interval '1 day' WHERE id = %s"
    assert path.rows(f"{yesterday} RETURNING 1", report["id"]) == [(1,)]

    task_id = fire_soon(aws.scheduler, group, "daily_report_digest")
    execution = path.finished(task_id, "daily_report_digest")

    assert execution.status == "SUCCEEDED", path.causes(execution.arn)
    output = json.loads(execution.output)
    assert (output["skipped"], [digest["status"] for digest in output["digests"]]) == (None, ["sent"])
    [key] = digests_of(execution)
    mail = path.stack.mailbox.sent_under(key)
    assert mail is not None
    assert mail["To"] == "client-1@example.com"
    assert path.recorded(task_id) == "SUCCEEDED"
    assert path.rows("SELECT schedule FROM executions_taskrecord WHERE id = %s", task_id) == [("daily_report_digest",)]


def test_a_schedule_that_fires_twice_starts_one_execution(path: WholePath) -> None:
    moment = datetime.now(UTC).replace(microsecond=0)
    message = deployed_message(path, "send_outbox").replace(SCHEDULED_TIME, f"{moment:%Y-%m-%dT%H:%M:%SZ}")
    task_id = scheduled_id("send_outbox", moment)

    path.send_messages(message, message)
    execution = path.finished(task_id, "run_task")
    path.send_messages(message)

    lines = eventually(
        lambda: found if len(found := path.log("dispatch_tasks", task_id)) == 3 else [], "three deliveries"
    )
    assert execution.status == "SUCCEEDED", path.causes(execution.arn)
    assert Counter(line["status"] for line in lines)["already_started"] >= 1
    assert path.steps_done("run_task", task_id) == 1
