"""The task message: written by Django and EventBridge Scheduler, read by the dispatcher.

``{"id": UUIDv7, "task": name, "payload": {…}, "timestamp": ISO 8601, "source": "django-backend"}``

Without an ``id`` the SQS MessageId is used. ``payload_key`` replaces a ``payload`` that is too large to travel inline.
Unknown keys are ignored. A payload is the function's arguments by name, or the decorated form of earlier producers,
``{"function_name", "module", "args", "kwargs"}``, of which only the arguments are used.

EventBridge Scheduler fills in the time of a schedule's message:
``{"schedule": name, "scheduled_at": ISO 8601, "task": name, "payload": {…}, "source": "scheduler"}``. Its id consists
of the schedule and the time to the second (``protocol.execution_names``), so a schedule that fires twice starts one
execution. An ``id`` beside a schedule would be a second name for the same run, and is refused.

::

    MessageRejected             ends in the dead-letter queue; nothing was started
    ├── NotJson
    ├── NoTask
    ├── UnknownTask
    ├── UnknownSchedule
    ├── ScheduledTimeMissing
    ├── PayloadDoesNotFit
    └── PayloadTooLarge
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from qu_workflows.protocol.catalog import CatalogEntry, json_type
from qu_workflows.protocol.errors import MessageRejected
from qu_workflows.protocol.execution_names import scheduled_id
from qu_workflows.protocol.project import registered_project
from qu_workflows.protocol.schedule import Schedule

SOURCE = "django-backend"
SCHEDULER_SOURCE = "scheduler"
# EventBridge Scheduler puts the time in this place, as 2026-11-24T12:00:00Z.
# https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"
# AWS: input of an execution, 256 KiB as UTF-8, hard.
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
MAX_EXECUTION_INPUT_BYTES = 262_144
# What a state's Parameters add to the input; above the limit the next state fails by States.DataLimitExceeded.
STATE_RESERVE_BYTES = 4096
# Above this a payload goes to S3 and travels as a key; the head-room is for what states add.
MAX_INLINE_PAYLOAD_BYTES = 200 * 1024
MAX_PAYLOAD_BYTES = 5 * 1024 * 1024

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
    """The body names no task, or its id cannot name an execution."""


class UnknownTask(MessageRejected):
    """The catalog has no task of this name."""


class UnknownSchedule(MessageRejected):
    """No schedule of this name is declared."""


class ScheduledTimeMissing(MessageRejected):
    """A schedule's message has no scheduled time."""


class PayloadDoesNotFit(MessageRejected):
    """The payload breaks the task's contract."""


class PayloadTooLarge(MessageRejected):
    """The payload is too large for a message, or for any way of sending it."""


@dataclass(frozen=True)
class ExecutionStart:
    """One execution to start: ``name`` is the task id; equal messages have equal ``input_json``."""

    name: str
    task: str
    workflow: str
    input_json: str


def canonical_json(value: Any) -> str:
    """Return the canonical JSON text of a value: sorted keys, no spaces.

    Raises ValueError for values that no service accepts: NaN, infinity, half of a surrogate pair.
    """
    text = _CANONICAL.encode(value)
    text.encode()
    # SQS replaces these two by U+FFFD. In JSON they occur only inside strings, where an escape means the same.
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
    """Return the SQS body of a schedule; EventBridge Scheduler fills in the time.

    Raises ValueError or TypeError for a payload that is not JSON.
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
    """Return the execution that a message starts.

    Pure: equal bodies give equal results, so a second delivery starts the same execution. Raises a leaf of
    MessageRejected.
    """
    message = _object(body)
    entry = _entry(message, registered_project().catalog if tasks is None else tasks)
    task_id = _task_id(message, message_id)
    payload, payload_key = _payload(message, entry, task_id)
    input_json = canonical_json(entry.execution_input(payload, payload_key))
    check_execution_input(input_json, task_id)
    return ExecutionStart(task_id, entry.task, entry.workflow, input_json)


def fit_payload(entry: CatalogEntry, payload: Any) -> dict[str, Any]:
    """Return a JSON payload as arguments by name. Raises PayloadDoesNotFit."""
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
        canonical_json(message)  # not all that Python parses is accepted by AWS
    except (ValueError, RecursionError) as error:
        raise NotJson("body", f"is not JSON ({error}).", remedy) from None
    if not isinstance(message, dict):
        raise NotJson("body", f"is {json_type(message)}, not a JSON object.", remedy)
    return message


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def payload_key_of(task_id: str) -> str:
    """Return the S3 key of a task's payload that does not travel inline."""
    return f"payloads/{task_id}.json"


def travels_inline(entry: CatalogEntry, size_bytes: int) -> bool:
    """Return True if a payload travels in its message, False if through S3. Raises PayloadTooLarge."""
    if size_bytes <= MAX_INLINE_PAYLOAD_BYTES:
        return True
    where = f"{entry.task} /payload"
    if not entry.by_reference:
        limit = f"{size_bytes:,} bytes; {entry.task} takes {MAX_INLINE_PAYLOAD_BYTES:,}."
        raise PayloadTooLarge(where, limit, "Send a smaller payload.")
    if size_bytes > MAX_PAYLOAD_BYTES:
        limit = f"{size_bytes:,} bytes; a task carries {MAX_PAYLOAD_BYTES:,}."
        raise PayloadTooLarge(where, limit, "Store the data and give its id or key.")
    return False


def check_execution_input(input_json: str, task_id: str) -> None:
    """Raise PayloadTooLarge for an input that is too large for an execution."""
    size, most = len(input_json.encode()), MAX_EXECUTION_INPUT_BYTES - STATE_RESERVE_BYTES
    if size > most:
        raise PayloadTooLarge(
            "/payload",
            f"{size:,} bytes as an execution's input; a workflow takes {most:,}.",
            f"Put the payload in S3 under {payload_key_of(task_id)} and send payload_key.",
        )


def _entry(message: dict[str, Any], tasks: Mapping[str, CatalogEntry]) -> CatalogEntry:
    name = message.get("task")
    if not isinstance(name, str) or not name:
        raise NoTask("/task", "names no task.", "Give the name of a task in the catalog.")
    if name not in tasks:
        raise UnknownTask("/task", f"{name[:80]!r} is not in the catalog.", f"{_nearest(name, tasks)}{_REGISTER}")
    return tasks[name]


def _nearest(name: str, tasks: Mapping[str, CatalogEntry]) -> str:
    from difflib import get_close_matches  # imported for a mistaken message only

    near = get_close_matches(name[:80], tasks, n=1)
    return f"Did you mean {near[0]}? " if near else ""


def task_id_of(body: str) -> str | None:
    """Return a body's task id, or None; for the log line about a refused message."""
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
        raise NoTask("/id", "cannot name an execution.", "Use a UUIDv7: at most 80 of the characters 0-9 A-Z a-z - _.")
    return task_id


def _scheduled_id(message: dict[str, Any]) -> str:
    name, time = message["schedule"], message.get("scheduled_at")
    if not isinstance(name, str) or name not in registered_project().schedules_by_name:
        shown = repr(name[:80]) if isinstance(name, str) else json_type(name)
        raise UnknownSchedule(
            "/schedule",
            f"{shown} is not one of {', '.join(registered_project().schedules_by_name)}.",
            "Declare it, or delete it from EventBridge Scheduler.",
        )
    if message.get("id") is not None:
        raise NoTask("/id", "is given together with a schedule, which names the execution.", "Give one of the two.")
    moment = _moment(time) if isinstance(time, str) else None
    if moment is None:
        shown = repr(time[:80]) if isinstance(time, str) else json_type(time)
        raise ScheduledTimeMissing(
            "/scheduled_at",
            f"{shown} is not a time with a time zone, such as 2026-11-24T12:00:00Z.",
            f"Put {SCHEDULED_TIME} there in the schedule's input.",
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
        raise PayloadDoesNotFit("/payload_key", "is given together with a payload.", "Give one of the two.")
    if not entry.by_reference:
        raise PayloadDoesNotFit("/payload_key", f"is not accepted by {entry.task}.", "Send the payload inline.")
    if key != payload_key_of(task_id):  # else a message could make a step read any object of the bucket
        raise PayloadDoesNotFit(
            "/payload_key", "is not this task's own key.", f"Use {payload_key_of(task_id)}, or send the payload inline."
        )
    return None, key


def _named_arguments(entry: CatalogEntry, payload: dict[str, Any]) -> dict[str, Any]:
    if not {"function_name", "module"} <= payload.keys() <= _DECORATED_KEYS:
        return payload
    args, kwargs = payload.get("args") or [], payload.get("kwargs") or {}
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        raise PayloadDoesNotFit(
            "/payload", "args is not an array, or kwargs is not an object.", "Send an array and an object."
        )
    names = entry.parameter_names
    if len(args) > len(names) or kwargs.keys() & set(names[: len(args)]):
        raise PayloadDoesNotFit("/payload/args", "has an argument too many or twice.", f"Give {_signature(entry)}.")
    return dict(zip(names, args, strict=False)) | kwargs


def _signature(entry: CatalogEntry) -> str:
    names = [name if required else f"{name} (optional)" for name, required in entry.required_by_name.items()]
    return f"{entry.task}({', '.join(names)})"
