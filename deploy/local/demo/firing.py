"""Fires a deployed schedule now: by a one-time copy of it, so that nobody need wait for its hour."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from deploy.local.aws.stand_in import LocalAws
from qu_workflows.protocol.task_ids import scheduled_id

SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"  # what EventBridge Scheduler fills in
SOON = timedelta(seconds=2)


def fire_soon(aws: LocalAws, group: str, schedule: str, payload: Mapping[str, Any] | None = None) -> str:
    """Copy a schedule of a group as ``at(now + 2 s)`` and return the id of the task that it will start.

    ``payload`` takes the place of the schedule's own. The copy is gone once it has fired.
    """
    deployed = aws.scheduler.get_schedule(GroupName=group, Name=schedule)
    target = deployed["Target"]
    message = json.loads(target["Input"])
    if payload is not None:
        message["payload"] = dict(payload)
    moment = (datetime.now(UTC) + SOON).replace(microsecond=0)
    aws.scheduler.create_schedule(
        GroupName=group,
        Name=f"{schedule}-{moment:%H%M%S}",
        ScheduleExpression=f"at({moment:%Y-%m-%dT%H:%M:%S})",
        ScheduleExpressionTimezone="UTC",
        FlexibleTimeWindow={"Mode": "OFF"},
        ActionAfterCompletion="DELETE",
        Target={**target, "Input": json.dumps(message)},
    )
    return scheduled_id(schedule, moment)
