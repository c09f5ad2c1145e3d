"""Records the acknowledgement of an incident, for the "Record Acknowledgement" state of incident_escalation."""

from lambdas.shared.runtime.database import database_step
from lambdas.shared.runtime.needs import StepNeeds
from workflows.contracts.incident_escalation import AcknowledgedIncident, RecordAcknowledgementInput

NEEDS = StepNeeds(database=True)


@database_step(RecordAcknowledgementInput)
def lambda_handler(event: RecordAcknowledgementInput) -> AcknowledgedIncident:
    """Record the acknowledgement unless the page has, and return the first person.

    Safe to retry: the first acknowledgement stays. Raises ReportNotFound and DatabaseUnavailable.
    """
    from incidents.services import record_acknowledgement

    return record_acknowledgement(event)
