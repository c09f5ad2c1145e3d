"""Sends a task by its name: ``sqs_client.send_task("custom_processing", {"data": "example"})``."""

import logging
from collections.abc import Mapping
from typing import Any

from qu_workflows.protocol.message import UnknownTask
from qu_workflows.tasks.registry import find_entry
from qu_workflows.tasks.requests import TaskRequest, sending_problem
from qu_workflows.tasks.services import record_task

logger = logging.getLogger(__name__)


class SqsClient:
    """The queue, by task name. Making one reads no setting and makes no connection."""

    def send_task(
        self,
        task_name: str,
        payload: Mapping[str, Any],
        delay_seconds: int = 0,
        message_group_id: str | None = None,
    ) -> str:
        """Record a task in the caller's transaction, to be sent after it commits, and return its id.

        ``payload`` holds the task's arguments by name; ``delay_seconds`` is 0 to 900. A queue that is down
        raises nothing. Raises UnknownTask for a name that is not in the catalog, ValueError for a delay
        or a group that SQS does not take, TypeError or PayloadDoesNotFit for what does not fit the task.
        """
        entry = find_entry(task_name)
        if entry is None:
            raise UnknownTask("task_name", f"{task_name!r} is no task.", "Register the task and run make states.")
        problem = sending_problem(delay_seconds, message_group_id or "")
        if problem:
            raise ValueError(problem)
        record = record_task(
            TaskRequest(
                entry=entry,
                payload=payload,
                delay_seconds=delay_seconds,
                message_group_id=message_group_id or "",
            )
        )
        logger.debug("task %s recorded as %s", task_name, record.pk)
        return record.pk


sqs_client = SqsClient()
