"""Calendar days as the places see them: a report counts to the day on which it happened there."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from qu_workflows.protocol.execution_names import scheduled_run_of
from workflows.errors import PayloadInvalid

_OLDEST = date(1970, 1, 1)
_ONE_DAY = timedelta(days=1)


def day_to_tell(task_id: str, asked: str = "") -> date:
    """Return the day a digest tells of: the one asked for, else the one before the scheduled time or before now.

    Days are those of TIME_ZONE here. Raises PayloadInvalid for what is no day, or a day that has not ended:
    who was mailed half a day would never be mailed its other half.
    """
    today = timezone.localdate()
    if not asked:
        run = scheduled_run_of(task_id)
        return (timezone.localdate(run.scheduled_at) if run else today) - _ONE_DAY
    try:
        day = date.fromisoformat(asked)
    except ValueError:
        raise PayloadInvalid("date", f"{asked} is not in the calendar.", "Give a day such as 2026-11-23.") from None
    if not _OLDEST <= day < today:
        problem = f"{asked} has not ended." if day >= today else f"no report is as old as {asked}."
        raise PayloadInvalid("date", problem, f"Give a day from {_OLDEST} to {today - _ONE_DAY}.")
    return day


def check_ended(task_id: str, day: date, time_zones: Iterable[str]) -> None:
    """Raise PayloadInvalid while a day goes on at a place in one of these time zones: see ``day_to_tell``.

    A scheduled run is let through: it comes hours later, and one odd time zone is not to stop everybody's mails.
    """
    end = max((bounds_of(day, _zone(name))[1] for name in time_zones), default=None)
    if end and end > timezone.now() and scheduled_run_of(task_id) is None:
        problem = f"{day} goes on until {end:%Y-%m-%d %H:%M} UTC in the time zone of a property."
        raise PayloadInvalid("date", problem, "Start it after that time, or give an earlier day.")


def bounds_of(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the first moment of a day in a time zone, and that of the next day: some 23 to 25 hours later, in UTC."""
    start, end = (datetime.combine(one, time.min, zone) for one in (day, day + _ONE_DAY))
    # Where clocks skip midnight, this gives the moment of the skip; where it comes twice, the first of both.
    return start.astimezone(UTC), end.astimezone(UTC)


def happened_on(day: date, time_zones: Iterable[str]) -> Q:
    """Return the condition for reports of a day, at properties in these time zones (as properties name them).

    A name that is no time zone counts as the installation's, so that one wrong row stops no one's list.
    """
    condition = Q(pk__in=[])
    for name in sorted(set(time_zones)):
        start, end = bounds_of(day, _zone(name))
        condition |= Q(property__time_zone=name, report_datetime__gte=start, report_datetime__lt=end)
    # Implied by the others: by it the database finds the few rows of these days, whatever the zones.
    start, end = bounds_of(day, ZoneInfo("UTC"))
    return Q(report_datetime__gte=start - _ONE_DAY, report_datetime__lt=end + _ONE_DAY) & condition


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or settings.TIME_ZONE)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a part of a name, such as America
        return ZoneInfo(settings.TIME_ZONE)
