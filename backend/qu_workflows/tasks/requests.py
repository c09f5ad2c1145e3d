"""A task asked for: checked at the call, so that a caller's mistake is an exception there and not a dead letter."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from django.conf import settings
from django.utils import timezone

from qu_workflows.protocol.catalog import CatalogEntry
from qu_workflows.protocol.message import (
    MAX_INLINE_PAYLOAD_BYTES,
    MAX_PAYLOAD_BYTES,
    PayloadDoesNotFit,
    PayloadTooLarge,
    fit_payload,
    payload_key_of,
)
from qu_workflows.protocol.project import registered_project
from qu_workflows.records.json_values import checked_json
from qu_workflows.records.models import TaskRecord, new_task_id

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
MAX_DELAY_SECONDS = 900
_GROUP_ID = re.compile(r"[!-~]{1,128}")  # printable ASCII but the space


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRequest:
    """What to run with what, and how to send it."""

    entry: CatalogEntry
    payload: Mapping[str, Any]
    positional_count: int = 0
    run_after: datetime | None = None
    delay_seconds: int = 0
    message_group_id: str = ""
    backend: str = "default"
    queue_name: str = "default"


def sending_problem(delay_seconds: int, message_group_id: str, run_after: datetime | None = None) -> str | None:
    """Return why SQS could not send a task so, or None."""
    if isinstance(delay_seconds, bool) or not isinstance(delay_seconds, int):
        return f"delay_seconds is {delay_seconds!r}, no whole number."
    if not 0 <= delay_seconds <= MAX_DELAY_SECONDS:
        return f"delay_seconds is {delay_seconds}; SQS takes 0 to {MAX_DELAY_SECONDS}. Use run_after."
    if delay_seconds and run_after is not None:
        return "delay_seconds and run_after are both given. Give one."
    if message_group_id and not _GROUP_ID.fullmatch(message_group_id):
        return "message_group_id is not 1 to 128 letters, digits and punctuation marks of ASCII."
    return None


def new_record(request: TaskRequest) -> TaskRecord:
    """Return the record of a request, not saved yet.

    Raises TypeError for arguments that are no JSON, PayloadDoesNotFit for ones that break the task's
    contract, PayloadTooLarge for ones that no way of travelling takes.
    """
    payload, size_bytes = _checked(request)
    named = fit_payload(request.entry, payload)
    task_id = new_task_id()
    given = {
        "id": task_id,
        "task": request.entry.task,
        "workflow": request.entry.workflow,
        "payload": payload,
        "payload_key": _payload_key(request.entry, task_id, size_bytes),
        "positional_count": request.positional_count,
        "subject_id": registered_project().subject_id_of(named),
        "backend": request.backend,
        "queue_name": request.queue_name,
        "message_group_id": request.message_group_id,
        "run_after": request.run_after,
        "delay_seconds": request.delay_seconds,
        "enqueued_at": timezone.now(),
    }
    values = (_blank() | given).values()  # by position: a model takes names in twice the time
    return TaskRecord(*values)  # type: ignore[misc]  # the stubs would know each value's field


@cache
def _blank() -> dict[str, Any]:
    """Return what a record has before anything is known, in the order of its fields."""
    return {field.attname: field.get_default() for field in TaskRecord._meta.concrete_fields}


def _checked(request: TaskRequest) -> tuple[dict[str, Any], int]:
    try:
        payload, text = checked_json(request.payload)
    except TypeError as error:
        raise TypeError(
            f"{request.entry.task}: the arguments are no JSON ({error}). Give texts, numbers, lists and dicts of them."
        ) from None
    except (ValueError, RecursionError) as error:
        raise PayloadDoesNotFit(
            f"{request.entry.task} /payload", f"is no JSON ({error}).", "Leave that value out."
        ) from None
    return payload, len(text.encode())


def _payload_key(entry: CatalogEntry, task_id: str, size_bytes: int) -> str:
    """Return the S3 key of a payload that is too large to travel inline, "" for one that is not."""
    if size_bytes <= MAX_INLINE_PAYLOAD_BYTES:
        return ""
    where = f"{entry.task} /payload"
    if not entry.by_reference:
        limit = f"{size_bytes:,} bytes; {entry.task} takes {MAX_INLINE_PAYLOAD_BYTES:,}."
        raise PayloadTooLarge(where, limit, "Give less.")
    if size_bytes > MAX_PAYLOAD_BYTES:
        limit = f"{size_bytes:,} bytes; a task carries {MAX_PAYLOAD_BYTES:,}."
        raise PayloadTooLarge(where, limit, "Store the data and give its id or key.")
    if settings.USE_ASYNC_TASKS and not settings.AWS_STORAGE_BUCKET_NAME:
        limit = f"{size_bytes:,} bytes; above {MAX_INLINE_PAYLOAD_BYTES:,} it travels through S3."
        raise PayloadTooLarge(where, limit, "Set AWS_STORAGE_BUCKET_NAME, or give less.")
    return payload_key_of(task_id)
