"""Records who has acknowledged an incident, for the "Record Acknowledgement" state of incident_escalation."""

from lambdas.shared.runtime.database import database_step
from workflows.contracts.incident_escalation import AcknowledgedIncident, RecordAcknowledgementInput


@database_step(RecordAcknowledgementInput)
def lambda_handler(event: RecordAcknowledgementInput) -> AcknowledgedIncident:
    """Record the acknowledgement where the link's page has not, and return who was first.

    Safe to retry: the first one stays. Raises ReportNotFound, and DatabaseUnavailable when trying again helps.
    """
    from incidents.services import record_acknowledgement

    return record_acknowledgement(event)
