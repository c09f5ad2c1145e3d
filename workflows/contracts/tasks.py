"""The tasks that have their own workflow.

``make states`` renders them into ``workflow_tasks.json``, against which payloads are validated.
"""

from dataclasses import dataclass

from qu_workflows.protocol.contract import Contract
from workflows.contracts.daily_report_digest import DailyReportDigestInput
from workflows.contracts.guard_report import GuardReportInput
from workflows.contracts.incident_escalation import IncidentEscalationInput
from workflows.contracts.notification_email import NotificationEmailInput


@dataclass(frozen=True)
class WorkflowTask:
    """A task, its workflow and its payload's contract.

    ``by_reference``: the workflow reads a payload from S3 that was too large to be sent inline.
    """

    task: str
    workflow: str
    payload: type[Contract]
    by_reference: bool = True


WORKFLOW_TASKS: tuple[WorkflowTask, ...] = (
    WorkflowTask("daily_report_digest", "daily_report_digest", DailyReportDigestInput, by_reference=False),
    WorkflowTask("escalate_incident", "incident_escalation", IncidentEscalationInput, by_reference=False),
    WorkflowTask("process_guard_report", "guard_report", GuardReportInput, by_reference=False),
    WorkflowTask("send_notification_email", "notification_email", NotificationEmailInput),
)
