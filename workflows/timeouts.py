"""Timeout of each workflow's executions: the ``TimeoutSeconds`` of its state machine.

The graphs take it from here; the watch on executions that are stuck does too. One entry for each workflow.
"""

from collections.abc import Mapping
from types import MappingProxyType

MACHINE_TIMEOUT_SECONDS: Mapping[str, int] = MappingProxyType(
    {
        "daily_report_digest": 4 * 3600,
        "guard_report": 4 * 3600,
        "incident_escalation": 7 * 24 * 3600,
        "notification_email": 3600,
        "run_task": 2 * 3600,
    }
)
