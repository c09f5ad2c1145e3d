"""Stores the result of each file, for the "Record Report" state of guard_report."""

from lambdas.shared.runtime.database import database_step
from lambdas.shared.runtime.needs import StepNeeds
from lambdas.shared.runtime.powertools import count
from workflows.contracts.guard_report import RecordedReport, RecordReportInput

NEEDS = StepNeeds(database=True)


@database_step(RecordReportInput)
def lambda_handler(event: RecordReportInput) -> RecordedReport:
    """Replace the results of the report, and mark it as processed.

    Safe to retry: equal results give equal rows. Raises ReportNotFound and DatabaseUnavailable.
    """
    from reports.services import record_results

    recorded = record_results(event.report_id, event.results)
    count("FilesAccepted", recorded.accepted)
    count("FilesRejected", recorded.rejected)
    return recorded
