"""Names of guards by the ids of their reports, as subjects of tasks."""

from collections.abc import Iterable

from core.models import name_of
from reports.models import GuardReport


def guards_of(report_ids: Iterable[int]) -> dict[int, str]:
    """Return the guard's name for each report there still is, in one query."""
    found = GuardReport.objects.filter(pk__in=set(report_ids)).select_related("guard__user")
    return {report.pk: name_of(report.guard.user) for report in found}
