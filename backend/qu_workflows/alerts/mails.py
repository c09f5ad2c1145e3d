"""The mail of an alert, in its reader's language: what is stuck, since when, how to look at it and how to fix it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.text import Truncator
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from qu_workflows.alerts.hooks import AlertKind, registered_hooks
from qu_workflows.alerts.queries import UNSTARTED, Stuck, alert_kinds
from qu_workflows.records.models import Alert
from qu_workflows.tasks.queries import registered_tasks

TEMPLATE_NAME = "emails/alert.html"
MAX_SUBJECT_LENGTH = 200
CALM_SECONDS = 3600  # all is well once nothing has been stuck for so long


class AlertEvent(StrEnum):
    """The reason for an alert's mail."""

    OPENED = "opened"
    WIDENED = "widened"  # something of another kind is stuck as well
    REMINDED = "reminded"
    CLOSED = "closed"


def send_alert_mail(reader: Any, event: AlertEvent, alert: Alert, stuck: Stuck, now: datetime) -> None:
    """Mail a user about an alert: by the product's task, else by Django when the transaction commits."""
    hooks = registered_hooks()
    with translation.override(hooks.language_of(reader)):
        subject, context = _content(event, alert, stuck, now)
        if hooks.mail_task:
            mail = {"subject": subject, "template_name": TEMPLATE_NAME, "context": context}
            registered_tasks()[hooks.mail_task].task.enqueue(user_id=reader.pk, **mail)
            return
        text, html = (render_to_string(TEMPLATE_NAME.replace("html", ending), context) for ending in ("txt", "html"))
    address = getattr(reader, reader.get_email_field_name())
    send = partial(send_mail, subject, text, None, [address], html_message=html)
    transaction.on_commit(send, robust=True)


def last_seen(findings: Mapping[str, Mapping[str, Any]]) -> datetime:
    """Return when something of an alert's findings was stuck last."""
    return max(datetime.fromisoformat(finding["seen"]) for finding in findings.values())


def _content(event: AlertEvent, alert: Alert, stuck: Stuck, now: datetime) -> tuple[str, dict[str, Any]]:
    """Return a mail's subject and the context of its templates, in the active language."""
    kinds = alert_kinds()
    items = [_item(kind, alert.findings[kind.name], now) for kind in kinds if kind.name in alert.findings]
    heading, current = _heading(event), [item for item in items if item["count"]]
    what = ", ".join(item["title"] for item in current)
    context = {
        "event": event.value,
        "heading": heading,
        "stage": settings.STAGE,
        "opened": _moment(alert.opened_at),
        "lasted": timesince(alert.opened_at, last_seen(alert.findings) if event is AlertEvent.CLOSED else now),
        "calm": timesince(now - timedelta(seconds=CALM_SECONDS), now),
        "remind": timesince(now - timedelta(seconds=settings.STUCK_REMIND_SECONDS), now),
        "stuck": current,
        "fixed": [item for item in items if not item["count"]],
        "unknown": [
            {"title": str(kind.heading), "why": stuck.unknown[kind.name]}
            for kind in kinds
            if kind.name in stuck.unknown
        ],
        "queue": _queue(stuck) if UNSTARTED.name in alert.findings else "",
        "alert_url": f"{settings.PUBLIC_URL}/admin/executions/alert/{alert.pk}/change/",
    }
    return Truncator(f"{heading}: {what}" if what else heading).chars(MAX_SUBJECT_LENGTH), context


def _heading(event: AlertEvent) -> str:
    return {
        AlertEvent.OPENED: _("Stuck"),
        AlertEvent.WIDENED: _("More is stuck"),
        AlertEvent.REMINDED: _("Still stuck"),
        AlertEvent.CLOSED: _("All is well again"),
    }[event]


def _item(kind: AlertKind, finding: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    oldest = datetime.fromisoformat(finding["oldest"]) if finding["oldest"] else None
    examples = [_example(one) for one in finding["examples"]]
    return {
        "kind": kind.name,
        "count": finding["count"],
        "name": str(kind.heading),
        "title": kind.title(finding["count"]) % {"count": finding["count"]},
        "since": _moment(oldest) if oldest else "",
        "age": timesince(oldest, now) if oldest else "",
        "why": str(kind.why),
        "examples": examples,
        "more": max(0, finding["count"] - len(examples)) if examples else 0,
        "look": list(kind.look),
        "has_preview": kind.needs_yes,
        "fix": list(kind.fix(examples[0]["id"] if examples else "")),
    }


def _example(one: Mapping[str, Any]) -> dict[str, Any]:
    subject_id = one.get("subject_id")
    subject = "" if subject_id is None else registered_hooks().describe_subject(subject_id)
    return {
        "id": one["id"],
        "task": one["task"],
        "since": _moment(datetime.fromisoformat(one["since"])),
        "subject": subject,
    }


def _queue(stuck: Stuck) -> str:
    if stuck.waiting is None:
        return ""
    return _("The task queue: %(waiting)s waiting, %(in_flight)s in flight.") % {
        "waiting": stuck.waiting,
        "in_flight": stuck.in_flight,
    }


def _moment(moment: datetime) -> str:
    local = timezone.localtime(moment)
    return f"{date_format(local, 'DATETIME_FORMAT')} {local:%Z}"
