"""What the demo does as an operator: it redrives the report that failed, and has a schedule fire."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psycopg

from deploy.local.demo.executions import ExecutionEnd, digests_of, read_execution
from deploy.local.demo.flaky import FAIL, WAITS_MARK, word_key
from deploy.local.function_log import steps_done
from deploy.local.progress import Progress
from deploy.local.stack import LocalStack
from qu_workflows.protocol.execution_names import scheduled_id

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient

SCHEDULE = "daily_report_digest"
STEPS = ("load_report", "inspect_file", "make_thumbnails", "record_report")
SOON = timedelta(seconds=2)
PATIENCE_SECONDS = 60.0
# Reports of today become those of yesterday, and the shifts in which they were made with them.
_ONE_DAY_LATER = """
UPDATE reports_guardreport SET report_datetime = report_datetime - interval '1 day',
  created_at = created_at - interval '1 day';
UPDATE core_shift SET planned_start = planned_start - interval '1 day', planned_end = planned_end - interval '1 day';
"""


def redrive(stack: LocalStack, task_id: str, progress: Progress) -> list[str]:
    """Fix what made a report's execution fail, redrive it as an operator does, and return the steps that ran again."""
    before = _steps(stack, task_id)
    say(stack, "work")
    progress.say(f"\n{task_id} has {record_status(stack, task_id)}: Make Thumbnails failed, on purpose. Fixed. Then")
    command = ["executions", "redrive", task_id, "--yes"]
    progress.say(f"  $ manage.py {' '.join(command)}")
    progress.say("".join(f"  {line}\n" for line in stack.manage(*command).read_text().splitlines()).rstrip())
    _until(stack, lambda: record_status(stack, task_id) == "SUCCEEDED")
    after = _steps(stack, task_id)
    again = [step for step in STEPS if after[step] > before[step]]
    kept = ", ".join(step for step in STEPS if step not in again)
    progress.say(f"  {record_status(stack, task_id)}. Run again: {', '.join(again)}. Not run again: {kept}.")
    return again


def say(stack: LocalStack, word: str = FAIL) -> None:
    """Let the marked file fail its execution, or with another word work."""
    bucket, key = stack.outputs["BucketName"], word_key(f"{WAITS_MARK}.jpg")
    stack.aws.s3.put_object(Bucket=bucket, Key=key, Body=word.encode())


def fire(stack: LocalStack, progress: Progress) -> ExecutionEnd | None:
    """Have the digest's schedule fire, as if a day had gone by; return its execution, None if there is none."""
    with psycopg.connect(stack.database_url) as connection:
        connection.execute(_ONE_DAY_LATER)
    progress.say(f"\nA day goes by: the reports are dated back. {SCHEDULE} fires, by a one-time copy of it:")
    task_id = fire_soon(stack.aws.scheduler, stack.outputs["SchedulesGroupName"], SCHEDULE)
    if not _until(stack, lambda: record_status(stack, task_id) in {"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}):
        return None
    execution = read_execution(stack.aws.step_functions, arn_of(stack, "DailyReportDigest", task_id))
    progress.say(f"  execution {task_id}: {execution.status}")
    for mail in filter(None, map(stack.mailbox.sent_under, digests_of(execution))):
        progress.say(f"  mail to {mail['To']}: {mail['Subject']}")
    return execution


def fire_soon(scheduler: "EventBridgeSchedulerClient", group: str, schedule: str) -> str:
    """Copy a schedule as ``at(now + 2 s)``, gone once it has fired; return the id of the task that it will start."""
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
    """Return the ARN of a task's execution. ``workflow`` as the template's resources spell it."""
    machine = stack.outputs[f"{workflow}StateMachineArn"]
    return f"{machine.replace(':stateMachine:', ':execution:')}:{task_id}"


def record_status(stack: LocalStack, task_id: str) -> str:
    """Return the status of a task's record; empty if it has none."""
    with psycopg.connect(stack.database_url) as connection:
        row = connection.execute("SELECT status FROM executions_taskrecord WHERE id = %s", [task_id]).fetchone()
    return str(row[0]) if row else ""


def _steps(stack: LocalStack, task_id: str) -> dict[str, int]:
    return {step: steps_done(stack.logs, step, task_id) for step in STEPS}


def _until(stack: LocalStack, is_so: Callable[[], bool]) -> bool:
    """Wait until something is so; return False when it is not within a minute."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        stack.check()
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True
