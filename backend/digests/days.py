"""Calendar days in the time zones of properties. A report belongs to its local day."""

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


def digest_day(task_id: str, asked: str = "") -> date:
    """Return the requested day, default: the day before the scheduled time, or yesterday, in TIME_ZONE.

    Raises PayloadInvalid for an invalid day, or for one that has not ended: its later reports would never be sent.
    """
    today = timezone.localdate()
    if not asked:
        run = scheduled_run_of(task_id)
        return (timezone.localdate(run.scheduled_at) if run else today) - _ONE_DAY
    try:
        day = date.fromisoformat(asked)
    except ValueError:
        raise PayloadInvalid("date", f"{asked} is not a date.", "Give a day such as 2026-11-23.") from None
    if not _OLDEST <= day < today:
        problem = f"{asked} has not ended." if day >= today else f"{asked} is before {_OLDEST}."
        raise PayloadInvalid("date", problem, f"Give a day from {_OLDEST} to {today - _ONE_DAY}.")
    return day


def check_ended(task_id: str, day: date, time_zones: Iterable[str]) -> None:
    """Raise PayloadInvalid if the day has not ended in one of the time zones.

    Scheduled runs are allowed: they are hours later, and one wrong time zone must not stop all mails.
    """
    end = max((bounds_of(day, _zone(name))[1] for name in time_zones), default=None)
    if end and end > timezone.now() and scheduled_run_of(task_id) is None:
        problem = f"{day} ends at {end:%Y-%m-%d %H:%M} UTC in the time zone of a property."
        raise PayloadInvalid("date", problem, "Start it after that time, or give an earlier day.")


def bounds_of(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the start and the end of a day in a time zone, as UTC."""
    start, end = (datetime.combine(one, time.min, zone) for one in (day, day + _ONE_DAY))
    # If clocks skip midnight, the time of the skip; if midnight is repeated, the first one.
    return start.astimezone(UTC), end.astimezone(UTC)


def happened_on(day: date, time_zones: Iterable[str]) -> Q:
    """Return the condition for reports of a day at properties with these time zones.

    An invalid time zone counts as TIME_ZONE, so that one wrong row does not stop the digests.
    """
    condition = Q(pk__in=[])
    for name in sorted(set(time_zones)):
        start, end = bounds_of(day, _zone(name))
        condition |= Q(property__time_zone=name, report_datetime__gte=start, report_datetime__lt=end)
    # Redundant, but indexed: reports of these days in any time zone.
    start, end = bounds_of(day, ZoneInfo("UTC"))
    return Q(report_datetime__gte=start - _ONE_DAY, report_datetime__lt=end + _ONE_DAY) & condition


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or settings.TIME_ZONE)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: an incomplete name, such as America
        return ZoneInfo(settings.TIME_ZONE)
