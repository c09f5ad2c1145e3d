"""The task message: what Django writes into SQS and what the dispatcher makes of it.

``{"id": UUIDv7, "task": name, "payload": {…}, "timestamp": ISO 8601, "source": "django-backend"}``

``id`` may be missing: then the SQS MessageId stands for it. ``payload_key`` stands in for
``payload`` where that was too large to travel inline. Unknown keys are ignored. Two forms of
payload fit: the function's arguments by name, and the decorated form of earlier producers,
``{"function_name", "module", "args", "kwargs"}``, of which only the arguments are used.

A schedule's message comes from EventBridge Scheduler, which fills in the time:
``{"schedule": name, "scheduled_at": ISO 8601, "task": name, "payload": {…}, "source": "scheduler"}``. Its id is made
of the schedule and the time to the second (``protocol.execution_names``), so that what fires twice starts once; an
``id`` beside a schedule would be a second name for the same run, and is refused.

::

    MessageRejected             ends in the dead-letter queue; nothing was started
    ├── NotJson
    ├── NoTask
    ├── UnknownTask
    ├── UnknownSchedule
    ├── ScheduledTimeMissing
    ├── PayloadDoesNotFit
    └── PayloadTooLarge             see ``protocol.payload_size``
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from qu_workflows.protocol.catalog import CatalogEntry
from qu_workflows.protocol.errors import MessageRejected
from qu_workflows.protocol.execution_names import scheduled_id
from qu_workflows.protocol.parameters import json_type
from qu_workflows.protocol.payload_size import check_execution_input, payload_key_of
from qu_workflows.protocol.project import registered_project
from qu_workflows.protocol.schedule import Schedule

SOURCE = "django-backend"
SCHEDULER_SOURCE = "scheduler"
# EventBridge Scheduler puts the time in this place, as 2026-11-24T12:00:00Z.
# https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_REGISTER = "Register the task and run make states."
_TASK_ID = re.compile(r"[0-9A-Za-z_-]{1,80}")
_SCHEDULED_AT = re.compile(
    r"(19[7-9][0-9]|2[01][0-9]{2})-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_DECORATED_KEYS = frozenset({"function_name", "module", "args", "kwargs"})
_PROBLEMS_NAMED = 5  # of a payload that fits nowhere; the log line has to stay one line


class NotJson(MessageRejected):
    """The body is not a JSON object."""


class NoTask(MessageRejected):
    """The body names no task, or its id can not name an execution."""


class UnknownTask(MessageRejected):
    """The catalog has no task of this name."""


class UnknownSchedule(MessageRejected):
    """No schedule of this name is declared."""


class ScheduledTimeMissing(MessageRejected):
    """A schedule's message does not say for which time it was sent."""


class PayloadDoesNotFit(MessageRejected):
    """The payload breaks the task's contract."""


@dataclass(frozen=True)
class ExecutionStart:
    """One execution to start: ``name`` is the task id, ``input_json`` the same text each time."""

    name: str
    task: str
    workflow: str
    input_json: str


def canonical_json(value: Any) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces.

    Raises ValueError for what no service takes: NaN, infinity, half of a surrogate pair.
    """
    text = _CANONICAL.encode(value)
    text.encode()
    # SQS replaces these two by U+FFFD. In a JSON text they stand only inside strings, where an escape is as good.
    return text.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


def write_message(
    task_id: str, task: str, timestamp: str, payload: Mapping[str, Any] | None, payload_key: str | None = None
) -> str:
    """Return the SQS body of a task. ``timestamp`` is ISO 8601; give ``payload`` or ``payload_key``.

    Raises ValueError for a payload that ``canonical_json`` refuses.
    """
    carried = {"payload_key": payload_key} if payload_key is not None else {"payload": payload}
    return canonical_json({"id": task_id, "task": task, "timestamp": timestamp, "source": SOURCE, **carried})


def write_scheduled_message(schedule: Schedule) -> str:
    """Return the SQS body of a schedule, its time to be filled in by EventBridge Scheduler.

    Raises ValueError or TypeError for a payload that is no JSON.
    """
    return canonical_json(
        {
            "schedule": schedule.name,
            "scheduled_at": SCHEDULED_TIME,
            "task": schedule.task,
            "payload": dict(schedule.payload),
            "source": SCHEDULER_SOURCE,
        }
    )


def read_message(body: str, message_id: str, tasks: Mapping[str, CatalogEntry] | None = None) -> ExecutionStart:
    """Return the execution that a message asks for.

    Pure: equal bodies give equal answers, so a second delivery asks for the very same start.
    Raises a leaf of MessageRejected, whose text says where, what and how to mend it.
    """
    message = _object(body)
    entry = _entry(message, registered_project().catalog if tasks is None else tasks)
    task_id = _task_id(message, message_id)
    payload, payload_key = _payload(message, entry, task_id)
    input_json = canonical_json(entry.execution_input(payload, payload_key))
    check_execution_input(input_json, task_id)
    return ExecutionStart(task_id, entry.task, entry.workflow, input_json)


def fit_payload(entry: CatalogEntry, payload: Any) -> dict[str, Any]:
    """Return a payload, which is JSON, as arguments by name, once it fits the task's parameters.

    Raises PayloadDoesNotFit naming what does not.
    """
    if not isinstance(payload, dict):
        raise PayloadDoesNotFit(
            "/payload", f"is {json_type(payload)}, not an object.", "Give the task's arguments by name."
        )
    named = _named_arguments(entry, payload)
    problems = entry.problems_with(named)
    if problems:
        more = [f"{len(problems) - _PROBLEMS_NAMED} more"] if len(problems) > _PROBLEMS_NAMED else []
        raise PayloadDoesNotFit(
            "/payload", f"{'; '.join(problems[:_PROBLEMS_NAMED] + more)}.", f"Give {_signature(entry)}."
        )
    return named


def _object(body: str) -> dict[str, Any]:
    remedy = "Send a JSON object with id, task and payload."
    try:
        message = json.loads(body, parse_constant=_refuse_constant)
        canonical_json(message)  # what parses is still not always what a service takes
    except (ValueError, RecursionError) as error:
        raise NotJson("body", f"is not JSON ({error}).", remedy) from None
    if not isinstance(message, dict):
        raise NotJson("body", f"is {json_type(message)}, not a JSON object.", remedy)
    return message


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _entry(message: dict[str, Any], tasks: Mapping[str, CatalogEntry]) -> CatalogEntry:
    name = message.get("task")
    if not isinstance(name, str) or not name:
        raise NoTask("/task", "names no task.", "Give the name of a task in the catalog.")
    if name not in tasks:
        raise UnknownTask("/task", f"{name[:80]!r} is not in the catalog.", f"{_nearest(name, tasks)}{_REGISTER}")
    return tasks[name]


def _nearest(name: str, tasks: Mapping[str, CatalogEntry]) -> str:
    from difflib import get_close_matches  # only a mistaken message pays for it

    near = get_close_matches(name[:80], tasks, n=1)
    return f"Did you mean {near[0]}? " if near else ""


def task_id_of(body: str) -> str | None:
    """Return the id that a body carries, if it carries one at all; for a log line about a message that was refused."""
    try:
        message = _object(body)
        task_id = message.get("id") if message.get("schedule") is None else _scheduled_id(message)
    except MessageRejected:
        return None
    return task_id if isinstance(task_id, str) and _TASK_ID.fullmatch(task_id) else None


def _task_id(message: dict[str, Any], message_id: str) -> str:
    if message.get("schedule") is not None:
        return _scheduled_id(message)
    task_id = message.get("id")
    if task_id is None:
        task_id = message_id
    if not isinstance(task_id, str) or not _TASK_ID.fullmatch(task_id):
        raise NoTask("/id", "can not name an execution.", "Use a UUIDv7: at most 80 of the characters 0-9 A-Z a-z - _.")
    return task_id


def _scheduled_id(message: dict[str, Any]) -> str:
    name, time = message["schedule"], message.get("scheduled_at")
    if not isinstance(name, str) or name not in registered_project().schedules_by_name:
        shown = repr(name[:80]) if isinstance(name, str) else f"{json_type(name)}, and"
        raise UnknownSchedule(
            "/schedule",
            f"{shown} is none of {', '.join(registered_project().schedules_by_name)}.",
            "Declare it, or take it off the scheduler.",
        )
    if message.get("id") is not None:
        raise NoTask("/id", "stands beside a schedule, which names the execution.", "Leave one of the two out.")
    moment = _moment(time) if isinstance(time, str) else None
    if moment is None:
        shown = repr(time[:80]) if isinstance(time, str) else json_type(time)
        raise ScheduledTimeMissing(
            "/scheduled_at",
            f"{shown} is no time with its zone, as 2026-11-24T12:00:00Z.",
            f"Let the schedule's input have {SCHEDULED_TIME} there.",
        )
    return scheduled_id(name, moment)


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if _SCHEDULED_AT.fullmatch(text) else None
    except ValueError:  # such as a month 13
        return None


def _payload(message: dict[str, Any], entry: CatalogEntry, task_id: str) -> tuple[dict[str, Any] | None, str | None]:
    key = message.get("payload_key")
    if key is None:
        return fit_payload(entry, message.get("payload", {})), None
    if message.get("payload") is not None:
        raise PayloadDoesNotFit("/payload_key", "stands beside a payload.", "Give one of the two.")
    if not entry.by_reference:
        raise PayloadDoesNotFit("/payload_key", f"{entry.task} takes none.", "Send its payload inline.")
    if key != payload_key_of(task_id):  # else a message could make a step read any object of the bucket
        raise PayloadDoesNotFit(
            "/payload_key", "is not this task's own key.", f"Use {payload_key_of(task_id)}, or send payload inline."
        )
    return None, key


def _named_arguments(entry: CatalogEntry, payload: dict[str, Any]) -> dict[str, Any]:
    if not {"function_name", "module"} <= payload.keys() <= _DECORATED_KEYS:
        return payload
    args, kwargs = payload.get("args") or [], payload.get("kwargs") or {}
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        raise PayloadDoesNotFit("/payload", "args is no array or kwargs no object.", "Send both as Python has them.")
    names = entry.parameter_names
    if len(args) > len(names) or kwargs.keys() & set(names[: len(args)]):
        raise PayloadDoesNotFit("/payload/args", "gives an argument too many or twice.", f"Give {_signature(entry)}.")
    return dict(zip(names, args, strict=False)) | kwargs


def _signature(entry: CatalogEntry) -> str:
    names = [name if required else f"{name} (optional)" for name, required in entry.required_by_name.items()]
    return f"{entry.task}({', '.join(names)})"
