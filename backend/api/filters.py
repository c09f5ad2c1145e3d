"""Filters of the lists of reports."""

from datetime import date, datetime, time, timedelta

import django_filters
from django.utils import timezone

from core.strict import IntegerFilter, StrictBooleanFilter
from reports.models import GuardReport, GuardReportQuerySet

_ISO = "%Y-%m-%d"  # and not 11/24/2026, which means another day elsewhere


class GuardReportFilter(django_filters.FilterSet):
    """``date_from`` and ``date_to`` are days of the installation's time zone, both included."""

    guard = IntegerFilter(field_name="guard_id", help_text="The id of a guard.")
    is_incident = StrictBooleanFilter(help_text="Incidents, or all others.")
    date_from = django_filters.DateFilter(
        method="since", input_formats=[_ISO], help_text="The first day, as 2026-11-24."
    )
    date_to = django_filters.DateFilter(method="until", input_formats=[_ISO], help_text="The last day, as 2026-11-24.")

    class Meta:
        model = GuardReport
        fields = ["guard", "is_incident", "date_from", "date_to"]

    def since(self, reports: GuardReportQuerySet, _name: str, day: date) -> GuardReportQuerySet:
        """Keep the reports of the day and after it."""
        return reports.filter(report_datetime__gte=_start_of(day))

    def until(self, reports: GuardReportQuerySet, _name: str, day: date) -> GuardReportQuerySet:
        """Keep the reports of the day and before it."""
        if day == date.max:
            return reports
        return reports.filter(report_datetime__lt=_start_of(day + timedelta(days=1)))


def _start_of(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
