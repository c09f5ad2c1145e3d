"""What a slow service said, kept for some seconds for all who look, and never waited for longer than a page may take.

One thread asks; whoever looks meanwhile sees what was known before. So ten open pages ask no more often than one, and
a service that does not answer holds up nobody.
"""

import logging
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from django.db import connections
from django.utils import timezone
from django.utils.translation import gettext as _

from qu_workflows.protocol.refusals import OperationRefused

_THREADS = 4
_executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="looks")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Seen[T]:
    """What is known: ``value`` is of ``as_of``, both None where nothing was ever answered.

    ``unanswered`` says in a sentence why there is nothing newer, "" if there is.
    """

    value: T | None = None
    as_of: datetime | None = None
    unanswered: str = ""


class Look[T]:
    """One question. ``ask`` answers it, in a thread of its own; it may raise OperationRefused, and use the database.

    ``what`` names the service in the sentence that says it is late. For any number of threads.
    """

    def __init__(
        self, what: str, ask: Callable[[], T], seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._what, self._ask, self._seconds, self._clock = what, ask, seconds, clock
        self._lock, self._times_forgotten = Lock(), 0
        self.forget()

    def forget(self) -> None:
        """Know nothing any more."""
        with self._lock:
            self._times_forgotten += 1
            self._seen: Seen[T] = Seen()
            self._key: Hashable = None
            self._until = 0.0
            self._asked: Future[None] | None = None

    def begin(self, key: Hashable = None) -> None:
        """Have the question be asked, if its answer is too old or was for another ``key``; wait for nothing."""
        with self._lock:
            is_fresh = key == self._key and self._clock() < self._until
            if not is_fresh and self._asked is None:
                self._asked = _executor.submit(self._renew, key, self._times_forgotten)

    def see(self, wait_seconds: float) -> Seen[T]:
        """Return what is known, after waiting at most so long for what was begun. Raises nothing."""
        asked = self._asked
        if asked is not None and not wait_for([asked], timeout=max(0.0, wait_seconds)).done:
            late = _("%(what)s has not answered yet.") % {"what": self._what}
            return Seen(self._seen.value, self._seen.as_of, late)
        return self._seen

    def _renew(self, key: Hashable, times_forgotten: int) -> None:
        try:
            seen = Seen(self._ask(), timezone.now())
        except OperationRefused as refused:
            seen = Seen(self._seen.value, self._seen.as_of, str(refused))
        except Exception as error:
            logger.exception("%s could not be asked.", self._what)
            seen = Seen(self._seen.value, self._seen.as_of, f"{self._what}: {type(error).__name__}")
        finally:
            connections.close_all()  # this thread's own
        with self._lock:
            if times_forgotten == self._times_forgotten:
                self._seen, self._key, self._until = seen, key, self._clock() + self._seconds
                self._asked = None
