"""The two statements that every task costs: its insert, and the note that it was sent.

On PostgreSQL each is one statement with a handful of parameters, however many the records: a third of
what the ORM takes for the same. Other databases get the ORM's.
"""

import json
from collections.abc import Sequence
from datetime import datetime

from django.db import connection
from django.db.models import Case, F, Value, When

from qu_workflows.records.models import TaskRecord, TaskStatus

_TABLE = TaskRecord._meta.db_table
# What ``new_record`` sets; the database has defaults for the rest.
_NEW_COLUMNS = (
    "id",
    "task",
    "workflow",
    "payload",
    "payload_key",
    "positional_count",
    "report_id",
    "status",
    "backend",
    "queue_name",
    "message_group_id",
    "run_after",
    "delay_seconds",
    "enqueued_at",
)
_ATTRIBUTES = {field.column: field.attname for field in TaskRecord._meta.concrete_fields}
_INSERT = (
    f"INSERT INTO {_TABLE} ({', '.join(_NEW_COLUMNS)}) SELECT {', '.join(_NEW_COLUMNS)} "  # noqa: S608  names of ours
    f"FROM json_populate_recordset(NULL::{_TABLE}, %s)"
)
_MARK_SENT = (
    f"UPDATE {_TABLE} SET status = CASE status WHEN %s THEN %s ELSE status END, sent_at = %s, "  # noqa: S608  same
    "send_attempts = send_attempts + 1, last_send_error = '' WHERE id = ANY(%s)"
)
# Not waiting for the disk: a lost note only means that a message is sent twice, and starts one execution.
_NO_WAIT = "SET LOCAL synchronous_commit TO OFF; "


def insert_records(records: Sequence[TaskRecord]) -> None:
    """Insert records that ``new_record`` made, all or none."""
    if not records:
        return
    if connection.vendor != "postgresql":
        TaskRecord.objects.bulk_create(records)
        return
    rows = [{column: getattr(record, _ATTRIBUTES[column]) for column in _NEW_COLUMNS} for record in records]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [json.dumps(rows, default=datetime.isoformat)])
    for record in records:
        record._state.adding = False


def mark_sent(records: Sequence[TaskRecord], now: datetime) -> None:
    """Note that records were sent. One whose execution has already begun keeps its status."""
    if not records:
        return
    ids = [record.pk for record in records]
    if connection.vendor == "postgresql":
        # In the caller's own transaction, whether to wait for the disk is the caller's to say.
        prefix = "" if connection.in_atomic_block else _NO_WAIT
        with connection.cursor() as cursor:
            cursor.execute(prefix + _MARK_SENT, [TaskStatus.READY.value, TaskStatus.SENT.value, now, ids])
    else:
        TaskRecord.objects.filter(pk__in=ids).update(
            status=Case(When(status=TaskStatus.READY, then=Value(TaskStatus.SENT)), default=F("status")),
            sent_at=now,
            send_attempts=F("send_attempts") + 1,
            last_send_error="",
        )
    for record in records:
        record.status, record.sent_at = TaskStatus.SENT, now
