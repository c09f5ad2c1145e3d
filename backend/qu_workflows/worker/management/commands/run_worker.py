"""Runs the worker until it is stopped."""

import logging
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from asl_engine import StoreInUse
from qu_workflows.aws.queues import WORKER, runs_on_worker
from qu_workflows.records.shutdown import stop_event
from qu_workflows.worker.worker import Worker, WorkerRefused

LOOKS_AGAIN_SECONDS = 1.0


class Command(BaseCommand):
    help = "Run recorded tasks in this process, workflows and schedules included, until Ctrl-C or SIGTERM."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--concurrency", type=int, default=8, help="Steps that run at once (8).")

    def handle(self, *, concurrency: int, **_options: Any) -> None:
        if not runs_on_worker():
            raise CommandError(f"Nothing would reach the worker. Set USE_ASYNC_TASKS=True, WORKFLOW_ENGINE={WORKER}.")
        if concurrency < 1:
            raise CommandError(f"--concurrency is {concurrency}. Set it to 1 or more.")
        logging.basicConfig(level=logging.INFO)
        with stop_event() as stop:
            worker = self._opened(Path(settings.WORKER_DATABASE), concurrency, stop)
            if worker is None:
                return
            try:
                host, _, port = settings.WORKER_ADDRESS.rpartition(":")
                url = worker.open(host, int(port))
                self.stdout.write(f"The worker is ready: {concurrency} steps at once, its API at {url}.")
                self.stdout.flush()  # a supervisor reads it through a pipe
                worker.run(stop)
            except (WorkerRefused, OSError) as error:
                raise CommandError(str(error)) from error
            finally:
                worker.close()
        self.stdout.write("The worker has stopped.")

    def _opened(self, database: Path, concurrency: int, stop: Any) -> Worker | None:
        """Return a worker, once no other one has the database open; None if stopped before."""
        waits = False
        while not stop.is_set():
            try:
                return Worker(database, concurrency)
            except StoreInUse:
                if not waits:
                    self.stdout.write(f"Another worker runs on {database}. This one takes over when that ends.")
                    self.stdout.flush()
                waits = True
                time.sleep(LOOKS_AGAIN_SECONDS)
        return None
