"""The engine's turn: take what has come, advance the executions it is for, save them together, then act.

Nothing is invoked, answered or announced before the step that wants it is on disk. One thread at a time
takes turns, so that an execution is never advanced twice at once, and a turn's saves share one commit.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from asl_engine.clock import Clock
from asl_engine.core.advance import advance
from asl_engine.core.commands import Command
from asl_engine.core.events import Event, Stop, TimerFired
from asl_engine.core.execution import Status
from asl_engine.core.history import HistoryEvent
from asl_engine.errors import ApiError
from asl_engine.runner.errors import ExecutionAlreadyExists, ExecutionDoesNotExist, RunnerStopped
from asl_engine.runner.messages import Inbox, Message
from asl_engine.runner.open_executions import OpenExecution, OpenExecutions
from asl_engine.runner.timers import Timers
from asl_engine.store import Store
from asl_engine.store.records import Document, ExecutionRecord, Save

logger = logging.getLogger(__name__)

_AT_ONCE = 512  # messages in a turn: enough to share a commit, few enough to answer soon


@dataclass(slots=True)
class Change:
    """What a turn does to one execution."""

    opened: OpenExecution
    is_new: bool = False
    replaces: bool = False
    history: list[HistoryEvent] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    was: ExecutionRecord | None = None  # how it was saved before, None for a new one

    @property
    def closed(self) -> bool:
        """Whether this turn closed it."""
        return self.opened.execution.status != Status.RUNNING and self.was != self.opened.record


class EventLoop:
    """Takes turns.

    ``documents`` gives what a command needs saved with its step, ``act`` performs the command once that
    is so, and ``done`` gets each execution that was saved.
    """

    def __init__(
        self,
        store: Store,
        executions: OpenExecutions,
        clock: Clock,
        draw: Callable[[], float],
        *,
        documents: Callable[[OpenExecution, Command], list[Document]],
        act: Callable[[OpenExecution, Command], None],
        done: Callable[[Change], None],
    ) -> None:
        self.inbox, self.timers = Inbox(), Timers()
        self._store, self._executions, self._clock, self._draw = store, executions, clock, draw
        self._documents, self._act, self._done = documents, act, done

    def wait(self, *, until_ms: int | None, busy: bool) -> None:
        """Wait until there is something to do, or until a time."""
        self.inbox.woken.clear()
        if not self.inbox:
            ends = [end for end in (until_ms, self.timers.next_ms()) if end is not None]
            self._clock.wait(self.inbox.woken, min(ends, default=None), busy=busy)

    def run_once(self) -> None:
        """Do what is to be done now. Raises whatever the store raises; then nothing of the turn has happened."""
        changes: dict[str, Change] = {}
        try:
            later = [message for message in self._take() if not self._apply(message, changes)]
            self._save(changes)
        except BaseException as error:
            for change in changes.values():
                self._executions.drop(change.opened.record.arn)
                for message in change.messages:
                    _refuse(message, RunnerStopped(repr(error)))
            raise
        for message in later:
            self.inbox.put(message)
        for change in changes.values():
            self._finish(change)

    def _take(self) -> list[Message]:
        now_ms = self._clock.now_ms()
        due = self.timers.due(now_ms, _AT_ONCE)
        messages = self.inbox.take(_AT_ONCE)
        return messages + [Message(arn, TimerFired(branch_id, token)) for _, _, arn, branch_id, token in due]

    def _apply(self, message: Message, changes: dict[str, Change]) -> bool:
        """Advance the message's execution; return False to leave the message for the next turn."""
        change = changes.get(message.arn)
        if message.new is not None:
            if change is not None:  # the same name twice in a turn: the store must know the first one first
                return False
            change = changes[message.arn] = Change(message.new, is_new=True, replaces=message.replaces)
        elif change is None:
            opened = self._executions.get(message.arn)
            if opened is None:
                _refuse(message, ExecutionDoesNotExist(message.arn))
                return True
            change = changes[message.arn] = Change(opened, was=opened.record)
        try:
            self._advance(message, change)
        except Exception as error:
            logger.exception("%s: %r could not be taken in; the execution is stopped.", message.arn, message.event)
            self._set_aside(changes.pop(message.arn), message, error)
        return True

    def _set_aside(self, change: Change, message: Message, error: Exception) -> None:
        """After a fault of ours: forget the turn's work on the execution, and stop it as it was saved."""
        self._executions.drop(message.arn)
        _refuse(message, error)
        for earlier in change.messages:
            self.inbox.put(earlier)
        if not change.is_new and not isinstance(message.event, Stop):
            self.inbox.put(Message(message.arn, Stop("States.Runtime", repr(error))))

    def _advance(self, message: Message, change: Change) -> None:
        opened = change.opened
        try:
            event = message.event(opened) if callable(message.event) else message.event
        except ApiError as refusal:
            _refuse(message, refusal)
            return
        change.documents += message.documents
        if event is not None:
            self._step(change, event)
        change.messages.append(message)

    def _step(self, change: Change, event: Event) -> None:
        opened = change.opened
        step = advance(opened.program, opened.execution, event, self._clock.now_ms(), self._draw)
        change.history += step.history
        change.commands += step.commands

    def _save(self, changes: dict[str, Change]) -> None:
        stored: list[Save] = []
        arns: list[str] = []
        for arn, change in changes.items():
            for command in change.commands:
                change.documents += self._documents(change.opened, command)
            history = [] if change.opened.record.express else change.history
            save = change.opened.save(history, change.documents, is_new=change.is_new, replaces=change.replaces)
            if self._is_stored(change):
                stored.append(save)
                arns.append(arn)
        if not stored:
            return
        for arn, taken in zip(arns, self._store.save(stored), strict=True):
            if taken is not None:
                self._answer_taken(changes.pop(arn), taken)

    @staticmethod
    def _is_stored(change: Change) -> bool:
        record = change.opened.record
        return not record.express or record.map_run_arn is not None

    @staticmethod
    def _answer_taken(change: Change, taken: ExecutionRecord) -> None:
        """Answer a start whose name is in use: the same request again gets the same answer."""
        same = taken.status == Status.RUNNING and taken.input == change.opened.record.input
        for message in change.messages:
            if not same:
                _refuse(message, ExecutionAlreadyExists(taken.arn))
            elif message.answer is not None:
                message.answer.set_result(taken)

    def _finish(self, change: Change) -> None:
        opened = change.opened
        self._executions.keep(opened, saved=self._is_stored(change))
        for message in change.messages:
            if message.answer is not None:
                message.answer.set_result(message.reply(opened) if message.reply is not None else None)
        for command in change.commands:
            self._act(opened, command)
        self._done(change)


def _refuse(message: Message, refusal: Exception) -> None:
    if message.answer is not None:
        message.answer.set_exception(refusal)
