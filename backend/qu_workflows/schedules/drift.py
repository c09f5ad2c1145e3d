"""Drift between a declared schedule and the one that is deployed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from qu_workflows.aws.queues import queue_arn
from qu_workflows.protocol.message import write_scheduled_message
from qu_workflows.protocol.schedule import Schedule


@dataclass(frozen=True)
class Difference:
    """One value of a deployed schedule that is not as declared."""

    what: str
    declared: str
    deployed: str


def drift_of(schedule: Schedule, found: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Return where the answer of GetSchedule differs from the declaration; the State is not declared."""
    target, policy = found.get("Target", {}), found.get("Target", {}).get("RetryPolicy", {})
    queue = queue_arn(settings.AWS_SQS_QUEUE_URL) if settings.AWS_SQS_QUEUE_URL else target.get("Arn")
    pairs = {
        "expression": (schedule.expression, found.get("ScheduleExpression")),
        "time zone": (schedule.time_zone, found.get("ScheduleExpressionTimezone", "UTC")),
        "window in minutes": (
            schedule.flexible_window_minutes,
            found.get("FlexibleTimeWindow", {}).get("MaximumWindowInMinutes", 0),
        ),
        "description": (schedule.description, found.get("Description", "")),
        "queue": (queue, target.get("Arn")),
        "message": (_as_json(write_scheduled_message(schedule)), _as_json(target.get("Input", ""))),
        "retries": (schedule.retry_policy.maximum_retry_attempts, policy.get("MaximumRetryAttempts", 185)),
        "age of a message in seconds": (
            schedule.retry_policy.maximum_event_age_seconds,
            policy.get("MaximumEventAgeInSeconds", 86_400),
        ),
    }
    return tuple(
        Difference(what, _shown(declared), _shown(deployed))
        for what, (declared, deployed) in pairs.items()
        if declared != deployed
    )


def _as_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
