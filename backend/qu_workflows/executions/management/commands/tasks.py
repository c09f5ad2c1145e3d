"""``manage.py tasks run``: enqueue a task by name, and follow it to its end."""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from qu_workflows.executions.queries import task_history
from qu_workflows.protocol.errors import MessageRejected
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.json_values import printable
from qu_workflows.records.models import UNSUCCESSFUL, TaskRecord, TaskStatus
from qu_workflows.tasks.services import send_task

WAIT_SECONDS = 300.0
_LOOK_EVERY_SECONDS = 0.5


class Command(BaseCommand):
    help = "Enqueue a task by its name in the catalog. With --wait, exit code 1 if it does not succeed."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        run = actions.add_parser("run", help="Enqueue one task.")
        run.add_argument("name", help="The task's name.")
        run.add_argument("--payload", default="{}", help="Its arguments by name, as a JSON object (%(default)s).")
        run.add_argument("--wait", action="store_true", help="Print its states until it ends.")
        run.add_argument(
            "--wait-seconds", type=float, default=WAIT_SECONDS, help="Give up waiting after this long (%(default)s)."
        )

    def handle(self, *, name: str, payload: str, wait: bool, wait_seconds: float, **_options: Any) -> None:
        began = time.monotonic()
        try:
            task_id = send_task(name, _object(payload))
        except (MessageRejected, TypeError, ValueError) as error:
            raise CommandError(str(error)) from error
        self._say(began, f"recorded as task {task_id}")
        if not wait:
            self.stdout.write(f"Its status: manage.py executions show {task_id}")
            return
        record = self._follow(task_id, began, wait_seconds)
        if record.status in UNSUCCESSFUL:
            raise CommandError(f"Task {task_id} ended as {record.status} with {record.error}: {record.cause}")
        if record.status != TaskStatus.SUCCEEDED:
            raise CommandError(
                f"Task {task_id} is still {record.status} after {wait_seconds:g} s. {record.last_send_error} "
                f"It goes on: manage.py executions show {task_id}"
            )
        self.stdout.write(json.dumps(record.result))

    def _follow(self, task_id: str, began: float, wait_seconds: float) -> TaskRecord:
        """Print each new status and state until the task ends or the time is up."""
        seen: dict[str, str] = {}
        while True:
            record = TaskRecord.objects.get(pk=task_id)
            for key, text in _news(record):
                if seen.get(key) != text:
                    seen[key] = text
                    self._say(began, text)
            if record.status in (TaskStatus.SUCCEEDED, *UNSUCCESSFUL) or time.monotonic() - began > wait_seconds:
                return record
            time.sleep(_LOOK_EVERY_SECONDS)

    def _say(self, began: float, text: str) -> None:
        self.stdout.write(f"{time.monotonic() - began:6.2f} s  {printable(text)}")


def _news(record: TaskRecord) -> Iterator[tuple[str, str]]:
    """Yield the status and every state entry so far, each with a key that stays."""
    ended = record.status in (TaskStatus.SUCCEEDED, *UNSUCCESSFUL)
    if not ended:
        yield "", record.status.lower()
    if record.execution_arn:
        try:
            for number, entry in enumerate(task_history(record).entries):
                error = f" {entry.error}" if entry.error else ""
                yield str(number), f"  {entry.label}: {entry.outcome.value}{error}"
        except OperationRefused:
            pass  # its execution has no history yet, or none that this process may read
    if ended:
        yield "", record.status.lower()


def _object(text: str) -> Mapping[str, Any]:
    try:
        payload = json.loads(text)
    except ValueError as error:
        raise CommandError(f"--payload is not JSON: {error}. Write it as '{{\"report_id\": 7}}'.") from error
    if not isinstance(payload, dict):
        raise CommandError("--payload is not a JSON object. Write it as '{\"report_id\": 7}'.")
    return payload
