"""What the demo does once the reports have gone their way: it redrives the one that failed, and fires a schedule."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import psycopg

from deploy.local.demo.executions import Execution, digests_of, read_execution
from deploy.local.demo.firing import fire_soon
from deploy.local.demo.refusal import ERROR, mend
from deploy.local.function_log import steps_done
from deploy.local.progress import Progress
from deploy.local.stack import LocalStack

SCHEDULE = "daily_report_digest"
STEPS = ("load_report", "inspect_file", "make_thumbnails", "record_report")
PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.2
# Reports of today become those of yesterday, and the shifts in which they were made with them.
_ONE_DAY_LATER = """
UPDATE reports_guardreport SET report_datetime = report_datetime - interval '1 day',
  created_at = created_at - interval '1 day';
UPDATE core_shift SET planned_start = planned_start - interval '1 day', planned_end = planned_end - interval '1 day';
"""


@dataclass(frozen=True)
class Redriven:
    """An execution that failed, before and after it was redriven, and how often each of ``STEPS`` had done its work."""

    report_id: int
    before: Execution
    after: Execution
    done_before: Mapping[str, int]
    done_after: Mapping[str, int]

    def problems(self) -> Iterator[str]:
        """Yield what is not as it should be."""
        name = f"report {self.report_id}"
        if self.before.status != "FAILED" or set(self.before.failed_tries) != {ERROR}:
            yield f"{name}: should have FAILED by {ERROR}; it was {self.before.status} {self.before.failed_tries}."
        if (self.after.status, self.after.redrives) != ("SUCCEEDED", 1):
            yield f"{name}: redriven {self.after.redrives} times it is {self.after.status}."
        if self.done_before.get("record_report") or not all(self.done_before.get(step) for step in STEPS[:-1]):
            yield f"{name}: its last step alone should have failed; done were {dict(self.done_before)}."
        if dict(self.done_after) != {**self.done_before, "record_report": 1}:
            yield f"{name}: the redrive ran more than the last step: {dict(self.done_before)}, {dict(self.done_after)}."


@dataclass(frozen=True)
class Fired:
    """A schedule that fired: the id its execution should have, and the keys by which its mails go out once."""

    task_id: str
    execution: Execution | None
    mail_keys: Sequence[str] = ()

    def problems(self) -> Iterator[str]:
        """Yield what is not as it should be."""
        if self.execution is None:
            yield f"{SCHEDULE}: fired, but there is no execution {self.task_id}."
        elif self.execution.status != "SUCCEEDED":
            yield f"{self.task_id}: the execution is {self.execution.status} {self.execution.failed_tries}."
        elif not self.mail_keys:
            yield f"{self.task_id}: it has written to nobody."


def redrive(stack: LocalStack, report_id: int, task_id: str, progress: Progress) -> Redriven:
    """Mend what made a report's execution fail, redrive it as an operator does, and wait for its end."""
    arn = arn_of(stack, "GuardReport", task_id)
    before, done_before = read_execution(stack.aws.step_functions, arn), _done(stack, task_id)
    progress.say(f"\nReport {report_id} has {before.status}: PostgreSQL refused to record it, on purpose. Mended. Then")
    mend(stack.database_url)
    command = ["executions", "redrive", task_id, "--yes"]
    progress.say(f"  $ manage.py {' '.join(command)}")
    for line in stack.manage(*command).read_text().splitlines():
        progress.say(f"  {line}".rstrip())
    _until(stack, lambda: _record_status(stack, task_id) == "SUCCEEDED")
    after, done_after = read_execution(stack.aws.step_functions, arn), _done(stack, task_id)
    again = [step for step in STEPS if done_after[step] > done_before[step]]
    kept = [step for step in STEPS if step not in again]
    progress.say(f"  {after.status}. Run again: {', '.join(again)}. Not run again: {', '.join(kept)}.")
    return Redriven(report_id, before, after, done_before, done_after)


def fire(stack: LocalStack, progress: Progress) -> Fired:
    """Let the digest's schedule fire, as if a day had gone by, and wait for the end of its execution."""
    with psycopg.connect(stack.database_url) as connection:
        connection.execute(_ONE_DAY_LATER)
    progress.say(f"\nA day goes by: the reports are dated back. {SCHEDULE} fires, by a one-time copy of it:")
    task_id = fire_soon(stack.aws, stack.outputs["SchedulesGroupName"], SCHEDULE)
    if not _until(stack, lambda: _record_status(stack, task_id) in ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")):
        return Fired(task_id, None)
    arn = arn_of(stack, "DailyReportDigest", task_id)
    execution = read_execution(stack.aws.step_functions, arn)
    keys = digests_of(execution)
    progress.say(f"  execution {task_id}: {execution.status}")
    for mail in filter(None, map(stack.mailbox.sent_under, keys)):
        progress.say(f"  mail to {mail['To']}: {mail['Subject']}")
    return Fired(task_id, execution, keys)


def arn_of(stack: LocalStack, workflow: str, task_id: str) -> str:
    """Return the ARN of a task's execution. ``workflow`` as the template's resources spell it."""
    machine = stack.outputs[f"{workflow}StateMachineArn"]
    return f"{machine.replace(':stateMachine:', ':execution:')}:{task_id}"


def _done(stack: LocalStack, task_id: str) -> dict[str, int]:
    return {step: steps_done(stack.logs, step, task_id) for step in STEPS}


def _record_status(stack: LocalStack, task_id: str) -> str:
    with psycopg.connect(stack.database_url) as connection:
        row = connection.execute("SELECT status FROM executions_taskrecord WHERE id = %s", [task_id]).fetchone()
    return str(row[0]) if row else ""


def _until(stack: LocalStack, is_so: Callable[[], bool]) -> bool:
    """Wait until something is so; False when it is not within a minute."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        stack.check()
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_SECONDS)
    return True
