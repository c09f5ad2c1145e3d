"""Waits for recorded tasks: by LISTEN on PostgreSQL, else by polling."""

from threading import Event

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.utils import Error as DatabaseError

from qu_workflows.tasks.outbox import CHANNEL

POLL_SECONDS = 0.2
LISTEN_SECONDS = 1.0  # tasks whose time comes, and schedules, are looked for as often


class Waker:
    """Waits for a task to be recorded. Not shared between threads."""

    def __init__(self, stop: Event) -> None:
        self._stop = stop
        self._listens = False

    def wait(self) -> None:
        """Return once a task may have been recorded, or after a moment."""
        if connection.vendor != "postgresql":
            self._stop.wait(POLL_SECONDS)
            return
        try:
            self._listen()
        except DatabaseError:
            self._listens = False
            connections.close_all()
            self._stop.wait(LISTEN_SECONDS)

    def _listen(self) -> None:
        with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
            if not self._listens:  # what was recorded before this is found by the look that follows
                cursor.execute(f"LISTEN {CHANNEL}")
                self._listens = True
                return
            for _ in cursor.connection.notifies(timeout=LISTEN_SECONDS, stop_after=1):
                pass
