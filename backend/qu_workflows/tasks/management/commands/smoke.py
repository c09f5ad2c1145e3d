"""manage.py smoke: runs the project's harmless smoke task to test a deployment."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from qu_workflows.protocol.project import registered_project
from qu_workflows.records.models import UNSUCCESSFUL, TaskRecord, TaskStatus
from qu_workflows.tasks.queries import registered_tasks

WAIT_SECONDS = 45.0
_LOOK_EVERY_SECONDS = 0.25


class Command(BaseCommand):
    help = "Enqueue a harmless task and wait until it has succeeded. Exit code 1 if it has not."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--wait-seconds", type=float, default=WAIT_SECONDS, help="Give up after this long (%(default)s)."
        )

    def handle(self, *, wait_seconds: float, **_options: Any) -> None:
        smoke = registered_project().smoke_task
        if smoke is None:
            raise CommandError("The project has no smoke task. Register it with smoke_task=SmokeTask(…).")
        began = time.monotonic()
        task_id = registered_tasks()[smoke.task].task.enqueue(**smoke.payload).id
        self._say(began, f"recorded as task {task_id}")
        record = self._follow(task_id, began, wait_seconds)
        if record.status != TaskStatus.SUCCEEDED:
            raise CommandError(_why(record, wait_seconds))
        if record.result != smoke.result:
            raise CommandError(f"Task {task_id} returned {record.result!r} instead of {smoke.result!r}.")
        self._say(began, "its record has the expected result")

    def _follow(self, task_id: str, began: float, wait_seconds: float) -> TaskRecord:
        """Print each new status until the task ends or the time is up."""
        seen = ""
        while True:
            record = TaskRecord.objects.get(pk=task_id)
            if record.status != seen:
                seen = record.status
                self._say(began, seen.lower())
            if record.status in (TaskStatus.SUCCEEDED, *UNSUCCESSFUL) or time.monotonic() - began > wait_seconds:
                return record
            time.sleep(_LOOK_EVERY_SECONDS)

    def _say(self, began: float, what: str) -> None:
        self.stdout.write(f"{time.monotonic() - began:6.2f} s  {what}")


_LOOK_AT: dict[str, str] = {
    TaskStatus.READY: "It was not sent: check its last error in sending, AWS_SQS_QUEUE_URL and the role's policy.",
    TaskStatus.SENT: "Its execution has not started: check the dispatcher's log and manage.py dlq list.",
    TaskStatus.RUNNING: "Its execution has not ended, or its end was not recorded: run manage.py executions show.",
}


def _why(record: TaskRecord, wait_seconds: float) -> str:
    if record.status in UNSUCCESSFUL:
        return f"Task {record.pk} ended as {record.status} with {record.error}: {record.cause}"
    said = record.last_send_error or _LOOK_AT.get(record.status, "")
    return f"Task {record.pk} is still {record.status} after {wait_seconds:g} s. {said}"
