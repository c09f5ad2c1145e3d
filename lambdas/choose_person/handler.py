"""Chooses whom to ask of an incident next, for the "Choose Person" state of incident_escalation."""

from lambdas.shared.runtime.database import database_step
from workflows.contracts.incident_escalation import ChoosePersonInput, Turn


@database_step(ChoosePersonInput)
def lambda_handler(event: ChoosePersonInput) -> Turn:
    """Return the next turn: whom to ask, and how long to wait.

    Safe to retry: a turn that was begun is answered again, so no one is passed over. Raises NobodyAcknowledged,
    ReportNotFound, and DatabaseUnavailable when trying again helps.
    """
    from incidents.services import choose_person

    return choose_person(event)
