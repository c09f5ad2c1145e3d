"""Sends the tasks that were recorded and never left."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from executions.resending import resend, resendable

OLDER_THAN_SECONDS = 60  # younger ones may be on their way at this very moment


class Command(BaseCommand):
    help = "Send the tasks that were recorded and never left. Exit code 1 if some could not be sent."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--older-than-seconds", type=float, default=OLDER_THAN_SECONDS, help="Leave younger ones alone (60)."
        )
        parser.add_argument("--limit", type=int, help="Send at most so many.")
        parser.add_argument("--dry-run", action="store_true", help="Only say how many there are.")

    def handle(self, *, older_than_seconds: float, limit: int | None, dry_run: bool, **_options: Any) -> None:
        if dry_run:
            self.stdout.write(f"{resendable(older_than_seconds)[:limit].count()} tasks to send.")
            return
        if not settings.USE_ASYNC_TASKS:
            raise CommandError("USE_ASYNC_TASKS is off. Set USE_ASYNC_TASKS=True and AWS_SQS_QUEUE_URL.")
        done = resend(older_than_seconds, limit)
        self.stdout.write(f"{done.sent} tasks sent.")
        if done.failed:
            raise CommandError(f"{done.failed} tasks could not be sent and stay recorded: {done.first_error}")
