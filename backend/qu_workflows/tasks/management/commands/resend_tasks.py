"""manage.py resend_tasks: sends recorded tasks; without a queue, runs them."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from qu_workflows.aws.queues import runs_on_worker
from qu_workflows.protocol.project import registered_steps
from qu_workflows.tasks.outbox import OLDER_THAN_SECONDS, resend, resendable, run_due


class Command(BaseCommand):
    help = "Send the tasks that are recorded and not sent. Exit code 1 if some could not be sent."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--older-than-seconds", type=float, default=OLDER_THAN_SECONDS, help="Skip younger tasks (60)."
        )
        parser.add_argument("--limit", type=int, help="Send at most this many.")
        parser.add_argument("--dry-run", action="store_true", help="Only show their number.")

    def handle(self, *, older_than_seconds: float, limit: int | None, dry_run: bool, **_options: Any) -> None:
        if dry_run:
            self.stdout.write(f"{resendable(older_than_seconds)[:limit].count()} tasks to send.")
            return
        if not settings.USE_ASYNC_TASKS:
            self._run_here(older_than_seconds, limit)
            return
        if runs_on_worker():
            self.stdout.write("Nothing to send: manage.py run_worker takes recorded tasks by itself.")
            return
        done = resend(older_than_seconds, limit)
        self.stdout.write(f"{done.sent} tasks sent.")
        if done.failed:
            raise CommandError(f"{done.failed} tasks could not be sent and stay recorded: {done.first_error}")

    def _run_here(self, older_than_seconds: float, limit: int | None) -> None:
        if registered_steps() is None:
            raise CommandError("No steps are registered. Call register_steps in the ready() of one of your apps.")
        done = run_due(older_than_seconds, limit)
        self.stdout.write(f"{done.sent + done.failed} tasks run here, because USE_ASYNC_TASKS is off.")
        if done.failed:
            raise CommandError(f"{done.failed} tasks failed, the first with {done.first_error}")
