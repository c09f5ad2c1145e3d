"""Chooses the next person to notify, for the "Choose Person" state of incident_escalation."""

from lambdas.shared.runtime.database import database_step
from lambdas.shared.runtime.needs import StepNeeds
from workflows.contracts.incident_escalation import ChoosePersonInput, Turn

NEEDS = StepNeeds(database=True)


@database_step(ChoosePersonInput)
def lambda_handler(event: ChoosePersonInput) -> Turn:
    """Return the next person to notify, and how long to wait.

    Safe to retry: returns a started turn again. Raises ReportNotFound, DatabaseUnavailable, and an error for the state
    machine's catcher when no person is left.
    """
    from incidents.services import choose_person

    return choose_person(event)
