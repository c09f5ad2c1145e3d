"""Read executions, redrive a failed one as an operator does, and fire a schedule."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg

from deploy.local.demo.flaky import FAIL, WAITS_MARK, word_key
from deploy.local.progress import Progress
from deploy.local.stack import LocalStack
from qu_workflows.protocol.execution_names import scheduled_id
from workflows.contracts.daily_report_digest import SentDigests

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_stepfunctions import SFNClient

SCHEDULE = "daily_report_digest"
STEPS = ("load_report", "inspect_file", "make_thumbnails", "record_report")
FINAL_STATUSES = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")
SOON = timedelta(seconds=2)
PATIENCE_SECONDS = 60.0
_FAILURES = ("TaskFailed", "LambdaFunctionFailed", "TaskTimedOut", "LambdaFunctionTimedOut")
# Moves today's reports, and the shifts in which they were made, to yesterday.
_ONE_DAY_BACK = """
UPDATE reports_guardreport SET report_datetime = report_datetime - interval '1 day',
  created_at = created_at - interval '1 day';
UPDATE core_shift SET planned_start = planned_start - interval '1 day', planned_end = planned_end - interval '1 day';
"""


@dataclass(frozen=True)
class ExecutionEnd:
    """One execution. ``failed_tries`` are the errors of its failed attempts, oldest first."""

    arn: str
    status: str
    input: str
    output: str
    seconds: float
    failed_tries: list[str]
    redrives: int = 0


def read_execution(step_functions: "SFNClient", arn: str) -> ExecutionEnd:
    """Return an execution; ``seconds`` is 0 until it has ended."""
    described = step_functions.describe_execution(executionArn=arn)
    pages = step_functions.get_paginator("get_execution_history").paginate(executionArn=arn)
    failures = [event for page in pages for event in page["events"] if event["type"] in _FAILURES]
    return ExecutionEnd(
        arn=arn,
        status=described["status"],
        input=described.get("input", ""),
        output=described.get("output", ""),
        seconds=(described.get("stopDate", described["startDate"]) - described["startDate"]).total_seconds(),
        failed_tries=[_error(dict(event)) for event in failures],
        redrives=described.get("redriveCount", 0),
    )


def _error(event: dict[str, Any]) -> str:
    details: dict[str, Any] = next((value for name, value in event.items() if name.endswith("Details")), {})
    return str(details.get("error", "States.Timeout"))


def digests_of(execution: ExecutionEnd) -> list[str]:
    """Return the send-once keys of a daily_report_digest execution's mails; none if it failed."""
    if not execution.output:
        return []
    answer = SentDigests.model_validate_json(execution.output)
    return [f"digest/{one.client_id}/{answer.date}" for one in answer.digests if one.status == "sent"]


def write_word(stack: LocalStack, word: str = FAIL) -> None:
    """Write the word for the waiting file."""
    bucket, key = stack.outputs["BucketName"], word_key(f"{WAITS_MARK}.jpg")
    stack.aws.s3.put_object(Bucket=bucket, Key=key, Body=word.encode())


def redrive(stack: LocalStack, task_id: str, progress: Progress) -> list[str]:
    """Fix a report's failure, redrive its execution, and return the repeated steps."""
    before = {step: stack.steps_done(step, task_id) for step in STEPS}
    write_word(stack, "work")
    progress.say(f"\n{task_id} has {record_status(stack, task_id)}: Make Thumbnails failed on purpose. Fixed. Then")
    command = ["executions", "redrive", task_id, "--yes"]
    progress.say(f"  $ manage.py {' '.join(command)}")
    progress.say("".join(f"  {line}\n" for line in stack.manage(*command).read_text().splitlines()).rstrip())
    _until(stack, lambda: record_status(stack, task_id) == "SUCCEEDED")
    repeated = [step for step in STEPS if stack.steps_done(step, task_id) > before[step]]
    kept = ", ".join(step for step in STEPS if step not in repeated)
    progress.say(f"  {record_status(stack, task_id)}. Run again: {', '.join(repeated)}. Not run again: {kept}.")
    return repeated


def fire(stack: LocalStack, progress: Progress) -> ExecutionEnd | None:
    """Fire the digest's schedule; return its execution, None without an end in time."""
    with psycopg.connect(stack.database_url) as connection:
        connection.execute(_ONE_DAY_BACK)
    progress.say(f"\nThe reports are dated back by a day. {SCHEDULE} fires, as a one-time copy:")
    task_id = fire_soon(stack.aws.scheduler, stack.outputs["SchedulesGroupName"], SCHEDULE)
    if not _until(stack, lambda: record_status(stack, task_id) in FINAL_STATUSES):
        return None
    execution = read_execution(stack.aws.step_functions, arn_of(stack, "DailyReportDigest", task_id))
    progress.say(f"  execution {task_id}: {execution.status}")
    for mail in filter(None, map(stack.mailbox.sent_under, digests_of(execution))):
        progress.say(f"  mail to {mail['To']}: {mail['Subject']}")
    return execution


def fire_soon(scheduler: "EventBridgeSchedulerClient", group: str, schedule: str) -> str:
    """Copy a schedule as ``at(now + 2 s)``; return its task's id."""
    target = scheduler.get_schedule(GroupName=group, Name=schedule)["Target"]
    moment = (datetime.now(UTC) + SOON).replace(microsecond=0)
    scheduler.create_schedule(
        GroupName=group,
        Name=f"{schedule}-{moment:%H%M%S}",
        ScheduleExpression=f"at({moment:%Y-%m-%dT%H:%M:%S})",
        ScheduleExpressionTimezone="UTC",
        FlexibleTimeWindow={"Mode": "OFF"},
        ActionAfterCompletion="DELETE",
        Target=target,
    )
    return scheduled_id(schedule, moment)


def arn_of(stack: LocalStack, workflow: str, task_id: str) -> str:
    """Return the ARN of a task's execution. ``workflow`` is like GuardReport."""
    machine = stack.outputs[f"{workflow}StateMachineArn"]
    return f"{machine.replace(':stateMachine:', ':execution:')}:{task_id}"


def record_status(stack: LocalStack, task_id: str) -> str:
    """Return the status of a task's record; "" without one."""
    with psycopg.connect(stack.database_url) as connection:
        row = connection.execute("SELECT status FROM executions_taskrecord WHERE id = %s", [task_id]).fetchone()
    return str(row[0]) if row else ""


def _until(stack: LocalStack, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        stack.check()
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True
