"""What is put before the engine's thread: an event for an execution, or a request that may be refused."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Event as Flag
from typing import Any

from asl_engine.core.events import Event
from asl_engine.runner.open_executions import OpenExecution
from asl_engine.store.records import Document


@dataclass(slots=True)
class Message:
    """One thing to do with one execution.

    ``event`` is the event itself, or makes it of the execution as it is then; it raises ApiError
    to refuse, and returns None to change nothing. ``new`` is the execution to create, in the place of a
    closed one if it ``replaces``.
    ``answer`` gets what ``reply`` makes of the execution, once all is saved.
    """

    arn: str
    event: Event | Callable[[OpenExecution], Event | None]
    answer: "Future[Any] | None" = None
    reply: Callable[[OpenExecution], Any] | None = None
    new: OpenExecution | None = None
    replaces: bool = False
    documents: list[Document] = field(default_factory=list)


class Inbox:
    """Messages in the order they came, from any thread; ``woken`` is set while there are any."""

    def __init__(self) -> None:
        self._messages: deque[Message] = deque()
        self.woken = Flag()

    def __bool__(self) -> bool:
        return bool(self._messages)

    def put(self, message: Message) -> None:
        """Add a message."""
        self._messages.append(message)
        self.woken.set()

    def take(self, limit: int) -> list[Message]:
        """Take out up to ``limit`` messages, the oldest first."""
        messages = self._messages
        return [messages.popleft() for _ in range(min(limit, len(messages)))]
