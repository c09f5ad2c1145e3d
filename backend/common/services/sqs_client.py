"""Sends tasks by name: ``sqs_client.send_task("custom_processing", {"data": "example"})``."""

import logging
from collections.abc import Mapping
from typing import Any

from qu_workflows.tasks.services import send_task

logger = logging.getLogger(__name__)


class SqsClient:
    """A client of the queue. Creating it reads no settings and opens no connection."""

    def send_task(
        self,
        task_name: str,
        payload: Mapping[str, Any],
        delay_seconds: int = 0,
        message_group_id: str | None = None,
    ) -> str:
        """Save a task and return its id: see ``qu_workflows.tasks.services.send_task``."""
        task_id = send_task(task_name, payload, delay_seconds, message_group_id)
        logger.debug("task %s recorded as %s", task_name, task_id)
        return task_id


sqs_client = SqsClient()
