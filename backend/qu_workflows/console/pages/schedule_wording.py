"""Schedule expressions in words, for users who do not read cron.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

import re
from collections.abc import Mapping

from django.utils.dates import MONTHS, WEEKDAYS
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

_WEEK = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
_YEAR = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_EXPRESSION = re.compile(r"(?P<kind>cron|rate|at)\((?P<inside>.*)\)")
# By number and abbreviation. EventBridge counts days from Sunday = 1.
_DAYS = {name: WEEKDAYS[(day + 6) % 7] for day in range(7) for name in (_WEEK[day], str(day + 1))}
_MONTHS = {name: word for number, word in MONTHS.items() for name in (_YEAR[number - 1], str(number))}
_ANY = ("*", "?")


def in_words(expression: str) -> str:
    """Return an expression in words, or unchanged if it is not understood."""
    found = _EXPRESSION.fullmatch(expression.strip())
    if found is None:
        return expression
    inside = found["inside"].strip()
    match found["kind"]:
        case "rate":
            return _rate(inside) or expression
        case "at":
            return _("once, at %(time)s") % {"time": inside.replace("T", " ")}
    fields = inside.split()
    return _cron(*fields) if len(fields) == 6 else expression


def _rate(inside: str) -> str:
    number, _space, unit = inside.partition(" ")
    if not number.isdecimal():
        return ""
    count = int(number)
    every = {
        "minute": ngettext("every minute", "every %(count)s minutes", count),
        "hour": ngettext("every hour", "every %(count)s hours", count),
        "day": ngettext("every day", "every %(count)s days", count),
    }.get(unit.rstrip("s"), "")
    return every % {"count": count} if "%" in every else every


def _cron(minutes: str, hours: str, day_of_month: str, month: str, day_of_week: str, year: str) -> str:
    parts = [_time(minutes, hours), _days(day_of_month, day_of_week)]
    if month not in _ANY:
        parts.append(_("in %(months)s") % {"months": _list(month, _MONTHS)})
    if year not in _ANY:
        parts.append(_("in the years %(years)s") % {"years": year})
    return ", ".join(part for part in parts if part)


def _time(minutes: str, hours: str) -> str:
    if minutes.isdecimal() and all(hour.isdecimal() for hour in hours.split(",")):
        times = [f"{int(hour):02}:{int(minutes):02}" for hour in hours.split(",")]
        return _("at %(times)s") % {"times": _joined(times)}
    if minutes.isdecimal() and hours == "*":
        return _("every hour at minute %(minute)s") % {"minute": int(minutes)}
    step = minutes.rpartition("/")[2] if minutes.startswith(("*/", "0/")) else ""
    every = _("every minute") if minutes == "*" else _("at the minutes %(minutes)s") % {"minutes": minutes}
    if step.isdecimal():
        every = _("every %(count)s minutes") % {"count": int(step)}
    return every if hours == "*" else _("%(every)s of the hours %(hours)s") % {"every": every, "hours": hours}


def _days(day_of_month: str, day_of_week: str) -> str:
    if day_of_month in _ANY and day_of_week in _ANY:
        return _("every day")
    if day_of_month == "L":
        return _("on the last day of the month")
    if day_of_month not in _ANY:
        return _("on day %(days)s of the month") % {"days": day_of_month}
    if "#" in day_of_week or day_of_week.endswith("L"):
        return _("on the days %(days)s of the week") % {"days": day_of_week}
    return _list(day_of_week, _DAYS)


def _list(field: str, known: Mapping[str, str]) -> str:
    words = []
    for part in field.upper().split(","):
        first, dash, last = part.partition("-")
        if dash and first in known and last in known:
            words.append(_("%(first)s to %(last)s") % {"first": known[first], "last": known[last]})
        else:
            words.append(str(known.get(part, part)))
    return _joined(words)


def _joined(words: list[str]) -> str:
    if len(words) == 1:
        return words[0]
    return _("%(some)s and %(last)s") % {"some": ", ".join(words[:-1]), "last": words[-1]}
