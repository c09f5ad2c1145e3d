"""A few threads beside the requests, for work that no request waits for.

They are daemons, so that a process can end; what they do at that moment has a short while to finish.
"""

import atexit
import logging
import queue
import threading
from collections.abc import Callable

from django.db import connections

THREADS = 2
WAIT_AT_EXIT_SECONDS = 10

type Job = Callable[[], object]

logger = logging.getLogger(__name__)


class Threads:
    """Does jobs in the order in which they come; the threads start with the first one."""

    def __init__(self) -> None:
        self._jobs: queue.Queue[Job] = queue.Queue()
        self._lock = threading.Lock()
        self.have_begun = False

    def do(self, job: Job) -> None:
        """Do a job soon. What it raises is logged."""
        self._jobs.put(job)
        with self._lock:
            if not self.have_begun:
                self.have_begun = True
                for number in range(THREADS):
                    threading.Thread(target=self._work, name=f"background-{number}", daemon=True).start()
                atexit.register(self.wait, WAIT_AT_EXIT_SECONDS)

    def do_aside(self, job: Job) -> threading.Thread:
        """Do a job that may wait for hours in a thread of its own; neither an exit nor ``wait`` waits for it."""
        thread = threading.Thread(target=_run, args=[job], name="background-aside", daemon=True)
        thread.start()
        return thread

    def wait(self, timeout_seconds: float) -> bool:
        """Wait until nothing is left to do, and return whether that is so."""
        with self._jobs.all_tasks_done:
            return self._jobs.all_tasks_done.wait_for(lambda: not self._jobs.unfinished_tasks, timeout_seconds)

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            try:
                _run(job)
            finally:
                self._jobs.task_done()


def _run(job: Job) -> None:
    try:
        job()
    except Exception:
        logger.exception("a job of the background failed")
    finally:
        connections.close_all()
