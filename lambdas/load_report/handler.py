"""Reads a guard report from the database, for the "Load Report" state of guard_report."""

from lambdas.shared.runtime.database import database_step
from lambdas.shared.runtime.needs import StepNeeds
from workflows.contracts.guard_report import LoadedReport, LoadReportInput

NEEDS = StepNeeds(database=True)


@database_step(LoadReportInput)
def lambda_handler(event: LoadReportInput) -> LoadedReport:
    """Return the report's files and recipients.

    Safe to retry: it only reads. Raises ReportNotFound and DatabaseUnavailable.
    """
    from reports.services import load_report

    return load_report(event.report_id)
