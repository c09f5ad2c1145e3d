"""Sends from a thread of its own what is enqueued task by task: the caller waits for the record alone.

Tasks that come within a hundredth of a second leave together. Nothing depends on the thread: a record that
it has not marked as sent, since its process died, stays READY and is sent by ``resend_tasks``.
"""

import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Condition

from django.db import close_old_connections

from qu_workflows.records.models import TaskRecord
from qu_workflows.tasks.sending import MAX_BATCH_MESSAGES

GATHER_SECONDS = 0.01
MAX_WAITING = 100  # who comes then sends by itself, and so enqueues no faster than SQS takes

logger = logging.getLogger(__name__)


class Sender:
    """One thread, started with the first record. Python waits for it before it ends."""

    def __init__(self, send: Callable[[Sequence[TaskRecord]], object]) -> None:
        """Send by ``send``; what that raises is logged, and the records are left as they are."""
        self._send = send
        self.begin_anew()
        os.register_at_fork(after_in_child=self.begin_anew)

    def begin_anew(self) -> None:
        """Forget thread and records: after a fork both are the parent's."""
        self._gathering = Condition()
        self._waiting: list[TaskRecord] = []
        self._thread = ThreadPoolExecutor(1, "send-tasks")
        self._run: Future[None] | None = None

    def take(self, record: TaskRecord) -> bool:
        """Take a committed record and return True; False when too many wait or the process is ending."""
        with self._gathering:
            if len(self._waiting) >= MAX_WAITING:
                return False
            if self._run is None or self._run.done():
                try:
                    self._run = self._thread.submit(self._work)
                except RuntimeError:  # Python is ending
                    return False
            self._waiting.append(record)
            if len(self._waiting) == MAX_BATCH_MESSAGES:
                self._gathering.notify()
            return True

    def wait(self) -> None:
        """Wait until what was taken before has been sent, or has failed to be."""
        self._thread.submit(lambda: None).result()

    def _work(self) -> None:
        close_old_connections()
        try:
            while records := self._next():
                self._send_or_log(records)
        finally:
            close_old_connections()

    def _send_or_log(self, records: Sequence[TaskRecord]) -> None:
        try:
            self._send(records)
        except Exception:
            logger.exception("%d tasks may not be sent: those still READY are sent later", len(records))

    def _next(self) -> list[TaskRecord]:
        with self._gathering:
            self._gathering.wait_for(lambda: len(self._waiting) >= MAX_BATCH_MESSAGES, GATHER_SECONDS)
            records, self._waiting = self._waiting, []
            if not records:
                self._run = None
            return records
