"""Sends the tasks that were recorded and never left; without a queue, runs them."""

from threading import Thread
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.tasks.in_process import run_each, take_up_abandoned, waiting_tasks
from qu_workflows.tasks.resending import OLDER_THAN_SECONDS, resend, resendable


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
            self._run_here(older_than_seconds, limit)
            return
        done = resend(older_than_seconds, limit)
        self.stdout.write(f"{done.sent} tasks sent.")
        if done.failed:
            raise CommandError(f"{done.failed} tasks could not be sent and stay recorded: {done.first_error}")

    def _run_here(self, older_than_seconds: float, limit: int | None) -> None:
        """Without a queue: run the tasks that nobody has taken on, and workflows that died with their process.

        One that waits for somebody's answer holds up no other, and only lives as long as this process.
        """
        take_up_abandoned()
        begun = list(run_each(waiting_tasks(older_than_seconds)[:limit]))
        ran = [one for one in begun if isinstance(one, TaskRecord)]
        waiting = [one for one in begun if isinstance(one, Thread) and one.is_alive()]
        self.stdout.write(f"{len(ran)} tasks run here, USE_ASYNC_TASKS being off.")
        if waiting:
            self.stdout.write(
                f"{len(waiting)} more wait for somebody's answer, and this command with them. "
                "Stopped by Ctrl-C, the next run begins their wait again."
            )
        for thread in waiting:
            thread.join()
        failed = [record for record in ran if record.status != TaskStatus.SUCCEEDED]
        if failed:
            raise CommandError(f"{len(failed)} tasks failed, the first by {failed[0].error}: {failed[0].cause}")
