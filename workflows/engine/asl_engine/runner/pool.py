"""Threads that perform tasks, or none: then a task is performed where it is given."""

import threading
from collections.abc import Callable
from queue import SimpleQueue

type Job = Callable[[], None]


class WorkerPool:
    """Up to ``size`` threads, begun as they are needed; with ``size`` 0 a job runs at once in the caller's thread.

    They end with the process: a job that blocks does not keep the process from ending, and is performed again after
    the next start.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._unfinished = 0

    @property
    def busy(self) -> bool:
        """Whether any job is waiting or under way."""
        return self._unfinished > 0

    def do(self, job: Job) -> None:
        """Have the job done, now (``size`` 0) or as soon as a thread is free. A job must not raise."""
        if not self._size:
            job()
            return
        with self._lock:
            self._unfinished += 1
            grow = self._threads < min(self._size, self._unfinished)
            self._threads += grow
        self._jobs.put(job)
        if grow:
            threading.Thread(target=self._work, name="engine-task", daemon=True).start()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            finally:
                with self._lock:
                    self._unfinished -= 1

    def close(self) -> None:
        """Let the threads end after what they are doing; jobs that have not begun are left."""
        while not self._jobs.empty():
            self._jobs.get()
        for _ in range(self._threads):
            self._jobs.put(None)
