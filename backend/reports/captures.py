"""When and where a file was taken, as its camera wrote it: resolved once, when the file's facts are recorded."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from django.utils.formats import number_format
from django.utils.translation import gettext as _

EARTH_RADIUS_METERS = 6_371_008.8  # the mean radius of WGS 84
# A camera whose battery was out tells 1904 or 1970, a broken file the year 0; the database takes no year 0.
YEARS = range(1900, 2200)
_KILOMETER = 1000


@dataclass(frozen=True)
class Capture:
    """A moment, and whether its time zone was assumed: a camera may tell its own local time alone."""

    captured_at: datetime | None = None
    zone_assumed: bool = False


def resolve_capture(told: str | None, zone: tzinfo) -> Capture:
    """Return the moment that an ISO 8601 text tells; without an offset it is taken for a time in ``zone``.

    What is no moment that a calendar has counts as not told: a file may hold anything.
    """
    try:
        moment = datetime.fromisoformat(told or "")
        is_local = moment.tzinfo is None
        moment = (moment.replace(tzinfo=zone) if is_local else moment).astimezone(UTC)
    except (ValueError, OverflowError):
        return Capture()
    return Capture(moment, is_local) if moment.year in YEARS else Capture()


def meters_between(latitude: float, longitude: float, to_latitude: float, to_longitude: float) -> float:
    """Return the distance of two places over ground in meters, by the haversine formula: right to half a percent."""
    phi, to_phi = math.radians(latitude), math.radians(to_latitude)
    across = math.sin((to_phi - phi) / 2) ** 2
    along = math.sin(math.radians(to_longitude - longitude) / 2) ** 2
    # At the far side of the earth rounding may take it a little above 1.
    return 2 * EARTH_RADIUS_METERS * math.asin(math.sqrt(min(1.0, across + math.cos(phi) * math.cos(to_phi) * along)))


def tell_distance(meters: float) -> str:
    """Return a distance as text, such as 640 m, 3.2 km or 1,204 km."""
    if round(meters, -1) < _KILOMETER:
        return _("%(number)s m") % {"number": number_format(round(meters, -1), 0)}
    kilometers = meters / _KILOMETER
    decimals = 1 if kilometers < 10 else 0
    return _("%(number)s km") % {"number": number_format(round(kilometers, decimals), decimals, force_grouping=True)}


def tell_duration(seconds: float) -> str:
    """Return a duration as players show it, such as 0:07, 12:40 or 1:02:03."""
    minutes, rest = divmod(max(1, round(seconds)) if seconds > 0 else 0, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
