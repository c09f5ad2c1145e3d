"""Reports by who wrote them: how the back office finds what became of a guard's reports."""

from collections.abc import Sequence
from functools import reduce
from operator import and_

from django.db.models import Q, QuerySet

from core.models import Guard
from reports.models import GuardReport

MAX_GUARDS = 50


def guards_called(text: str) -> list[Guard]:
    """Return the guards whose name or user name holds each word of a text, their users with them; 50 at the most."""
    words = text.split()[:5]
    if not words:
        return []
    named = (
        Q(user__first_name__icontains=word) | Q(user__last_name__icontains=word) | Q(user__username__icontains=word)
        for word in words
    )
    return list(Guard.objects.filter(reduce(and_, named)).select_related("user")[:MAX_GUARDS])


def guard_numbered(number: int) -> Guard | None:
    """Return the guard of an id, with its user, or None."""
    return Guard.objects.filter(pk=number).select_related("user").first()


def report_ids_of(guards: Sequence[Guard]) -> QuerySet[GuardReport, int]:
    """Return, as a query, the ids of the reports that any of these guards wrote."""
    return GuardReport.objects.filter(guard__in=guards).order_by().values_list("pk", flat=True)
