"""The mail of an alert, in its reader's language: what is stuck, since when, how to look at it and how to mend it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.text import Truncator
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from core.models import language_of
from qu_workflows.alerts.findings import Kind, Seen
from qu_workflows.records.models import Alert

TEMPLATE_NAME = "emails/alert.html"
MAX_SUBJECT_LENGTH = 200
CALM_SECONDS = 3600  # all is well once nothing has been stuck for so long


class Event(StrEnum):
    """What is told of an alert."""

    OPENED = "opened"
    WIDENED = "widened"  # something of another kind is stuck as well
    REMINDED = "reminded"
    CLOSED = "closed"


LOOK: Mapping[Kind, tuple[str, ...]] = {
    Kind.UNACKNOWLEDGED: (
        "manage.py executions list --workflow incident_escalation --status FAILED TIMED_OUT ABORTED",
    ),
    Kind.DEAD_LETTERS: ("manage.py dlq list",),
    Kind.UNSENT: ("manage.py executions list --status READY",),
    Kind.UNSTARTED: ("manage.py executions list --status SENT", "manage.py dlq list"),
    Kind.RUNNING: ("manage.py executions list --status RUNNING",),
}


def alert_mail(reader: User, event: Event, alert: Alert, seen: Seen, now: datetime) -> dict[str, Any]:
    """Return the arguments of a ``send_notification_email`` task but the user: subject, template and context."""
    with translation.override(language_of(reader)):
        items = [_item(kind, alert.findings[kind], now) for kind in Kind if kind in alert.findings]
        stuck = [item for item in items if item["count"]]
        heading = _heading(event)
        what = ", ".join(str(item["title"]) for item in stuck)
        return {
            "subject": Truncator(f"{heading}: {what}" if what else heading).chars(MAX_SUBJECT_LENGTH),
            "template_name": TEMPLATE_NAME,
            "context": {
                "event": event.value,
                "heading": heading,
                "stage": settings.STAGE,
                "opened": _moment(alert.opened_at),
                "lasted": timesince(alert.opened_at, last_seen(alert.findings) if event is Event.CLOSED else now),
                "calm": timesince(now - timedelta(seconds=CALM_SECONDS), now),
                "remind": timesince(now - timedelta(seconds=settings.STUCK_REMIND_SECONDS), now),
                "stuck": stuck,
                "mended": [item for item in items if not item["count"]],
                "unseen": [{"title": _names()[kind], "why": why} for kind, why in seen.unseen.items()],
                "queue": _queue(seen) if Kind.UNSTARTED in alert.findings else "",
                "alert_url": f"{settings.PUBLIC_URL}/admin/executions/alert/{alert.pk}/change/",
            },
        }


def last_seen(findings: Mapping[str, Mapping[str, Any]]) -> datetime:
    """Return when something of an alert's findings was stuck last."""
    return max(datetime.fromisoformat(finding["seen"]) for finding in findings.values())


def _heading(event: Event) -> str:
    return {
        Event.OPENED: _("Stuck"),
        Event.WIDENED: _("More is stuck"),
        Event.REMINDED: _("Still stuck"),
        Event.CLOSED: _("All is well again"),
    }[event]


def _names() -> Mapping[Kind, str]:
    return {
        Kind.UNACKNOWLEDGED: _("Incidents that nobody acknowledged"),
        Kind.DEAD_LETTERS: _("Dead letters"),
        Kind.UNSENT: _("Tasks that were not sent"),
        Kind.UNSTARTED: _("Tasks that were sent and have not begun"),
        Kind.RUNNING: _("Executions that run too long"),
    }


def _title(kind: Kind, count: int) -> str:
    titles = {
        Kind.UNACKNOWLEDGED: ngettext(
            "%(count)s incident that nobody acknowledged", "%(count)s incidents that nobody acknowledged", count
        ),
        Kind.DEAD_LETTERS: ngettext("%(count)s dead letter", "%(count)s dead letters", count),
        Kind.UNSENT: ngettext("%(count)s task that was not sent", "%(count)s tasks that were not sent", count),
        Kind.UNSTARTED: ngettext(
            "%(count)s task that was sent and has not begun", "%(count)s tasks that were sent and have not begun", count
        ),
        Kind.RUNNING: ngettext(
            "%(count)s execution that runs too long", "%(count)s executions that run too long", count
        ),
    }
    return titles[kind] % {"count": count}


def _why(kind: Kind) -> str:
    return {
        Kind.UNACKNOWLEDGED: _(
            "Nobody is asked any more: everybody was, or the execution failed or was stopped. Acknowledge the report "
            "in the back office, or add a supervisor to the property and redrive the execution: it goes on with "
            "whoever was not asked yet."
        ),
        Kind.DEAD_LETTERS: _(
            "Messages that could not be dispatched, or tasks whose delivery failed. The list says why. They are lost "
            "14 days after they were sent; mend the reason, then move them back."
        ),
        Kind.UNSENT: _(
            "They are recorded in the database and are tried again each minute. The record says what SQS answered last."
        ),
        Kind.UNSTARTED: _(
            "Their messages wait in the queue, or have become dead letters. "
            "If many wait, see whether the dispatcher runs."
        ),
        Kind.RUNNING: _(
            "They run for longer than their state machine lets them, or the event of their end was lost. "
            "Look at one, and stop it if it does nothing any more."
        ),
    }[kind]


def _mend(kind: Kind, first_id: str) -> list[str]:
    return {
        Kind.UNACKNOWLEDGED: [f"manage.py executions redrive {first_id}"],
        Kind.DEAD_LETTERS: ["manage.py dlq redrive --all"],
        Kind.UNSENT: ["manage.py resend_tasks"],
        Kind.UNSTARTED: [f"manage.py executions show {first_id}", "manage.py dlq redrive --all"],
        Kind.RUNNING: [
            f"manage.py executions show {first_id}",
            f'manage.py executions stop {first_id} --reason "{_("does nothing any more")}"',
        ],
    }[kind]


def _item(kind: Kind, finding: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    oldest = datetime.fromisoformat(finding["oldest"]) if finding["oldest"] else None
    examples = [one | {"since": _moment(datetime.fromisoformat(one["since"]))} for one in finding["examples"]]
    return {
        "kind": kind.value,
        "count": finding["count"],
        "name": _names()[kind],
        "title": _title(kind, finding["count"]),
        "since": _moment(oldest) if oldest else "",
        "age": timesince(oldest, now) if oldest else "",
        "why": _why(kind),
        "examples": examples,
        "more": max(0, finding["count"] - len(examples)) if examples else 0,
        "look": list(LOOK[kind]),
        "has_preview": kind is not Kind.UNSENT,
        "mend": _mend(kind, examples[0]["id"] if examples else ""),
    }


def _queue(seen: Seen) -> str:
    if seen.waiting is None:
        return ""
    return _("The task queue: %(waiting)s waiting, %(in_flight)s in flight.") % {
        "waiting": seen.waiting,
        "in_flight": seen.in_flight,
    }


def _moment(moment: datetime) -> str:
    local = timezone.localtime(moment)
    return f"{date_format(local, 'DATETIME_FORMAT')} {local:%Z}"
