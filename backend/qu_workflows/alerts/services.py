"""Mails operations about stuck tasks: one open alert at a time, not a flood.

The alert is mailed when it opens, when another kind of thing is stuck as well, again after STUCK_REMIND_SECONDS
(unless an earlier mail is still unsent), and once when nothing has been stuck for an hour. A kind that disappears and
returns while the alert is open is not mailed again, so that fluctuating SQS counts cause no flood. A kind that could
not be read keeps its last count.
"""

import logging
from collections.abc import Collection, Mapping
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
from qu_workflows.alerts.queries import UNSTARTED, Finding, Stuck, alert_kinds, stuck_messages, stuck_records
from qu_workflows.records.models import Alert, TaskRecord, TaskStatus
from qu_workflows.records.queries import take_turn
from qu_workflows.tasks.queries import registered_tasks

TEMPLATE_NAME = "emails/alert.html"
MAX_SUBJECT_LENGTH = 200
CALM_SECONDS = 3600  # an alert closes once nothing has been stuck for this long

logger = logging.getLogger(__name__)


class AlertEvent(StrEnum):
    """The reason for an alert's mail."""

    OPENED = "opened"
    WIDENED = "widened"  # another kind is stuck as well
    REMINDED = "reminded"
    CLOSED = "closed"


def watch(now: datetime | None = None) -> dict[str, Any]:
    """Find stuck tasks and messages, mail operations if there is news, and return the findings.

    ``{"findings": {kind: {"count", "oldest", "examples"}}, "mailed": <mails>, "queue": {"waiting", "in_flight"},
    "unread": {kind: reason}}``; times are ISO 8601. Safe to repeat and to run concurrently: the mails are recorded
    with the alert, in one transaction.
    """
    stuck = stuck_messages()
    with transaction.atomic():
        take_turn("watch")
        now = now or timezone.now()
        stuck.found |= stuck_records(now)
        mailed = _update_alert(stuck, now)
    for kind, why in stuck.unread.items():
        logger.warning("%s could not be read: %s", kind, why)
    return {
        "findings": _in_order(stuck.found),
        "mailed": mailed,
        "queue": {"waiting": stuck.waiting, "in_flight": stuck.in_flight},
        "unread": stuck.unread,
    }


def next_step(
    known: Mapping[str, Any] | None,
    mailed_at: datetime | None,
    found: Mapping[str, Finding],
    unread: Collection[str],
    now: datetime,
) -> tuple[dict[str, Any], AlertEvent | None]:
    """Return the open alert's next findings, and the reason to mail it, if any.

    ``known`` are the alert's findings, None without an open alert. Each finding also has ``seen``, when it was last
    stuck.
    """
    seen = {"seen": now.isoformat()}
    fresh = {name: finding | seen for name, finding in _in_order(found).items()}
    if known is None:
        return fresh, AlertEvent.OPENED if fresh else None
    kept = {name: was | (seen if was["count"] else {}) for name, was in known.items() if name in unread}
    gone = {name: {**was, "count": 0} for name, was in known.items()}
    findings = gone | kept | fresh
    if not any(finding["count"] for finding in findings.values()):
        is_calm = now - _last_seen(findings) >= timedelta(seconds=CALM_SECONDS)
        return findings, AlertEvent.CLOSED if is_calm else None
    if mailed_at is None:  # there was no recipient
        return findings, AlertEvent.OPENED
    if fresh.keys() - known.keys():
        return findings, AlertEvent.WIDENED
    is_due = now - mailed_at >= timedelta(seconds=settings.STUCK_REMIND_SECONDS)
    return findings, AlertEvent.REMINDED if is_due else None


def _update_alert(stuck: Stuck, now: datetime) -> int:
    """Update the open alert and enqueue its mails, in the caller's transaction; return how many."""
    alert = Alert.objects.select_for_update().filter(closed_at__isnull=True).first()
    known, mailed_at = (alert.findings, alert.mailed_at) if alert else (None, None)
    findings, event = next_step(known, mailed_at, stuck.found, stuck.unread, now)
    if alert is None and event is None:
        return 0
    alert = alert or Alert(opened_at=now)
    alert.findings = findings
    if event is AlertEvent.CLOSED:
        alert.closed_at = now
    alert.save()
    if event is None or (event is AlertEvent.CLOSED and mailed_at is None):
        return 0
    if event is AlertEvent.REMINDED and _has_unsent_mail(alert):
        return 0
    people = list(registered_hooks().recipients())
    if not people:
        logger.error('An alert has no recipient: add a user with an email address to the group "Operations".')
        return 0
    for person in people:
        _send_mail(person, event, alert, stuck, now)
    alert.mailed_at = now
    alert.save(update_fields=["mailed_at"])
    return len(people)


def _has_unsent_mail(alert: Alert) -> bool:
    """Return whether a mail of this alert is unsent: reminders would pile up behind it."""
    mails = TaskRecord.objects.filter(task=registered_hooks().mail_task, payload__template_name=TEMPLATE_NAME)
    return mails.filter(status=TaskStatus.READY, enqueued_at__gte=alert.opened_at).exists()


def _in_order(found: Mapping[str, Finding]) -> dict[str, dict[str, Any]]:
    return {kind.name: found[kind.name].as_json() for kind in alert_kinds() if kind.name in found}


def _last_seen(findings: Mapping[str, Mapping[str, Any]]) -> datetime:
    return max(datetime.fromisoformat(finding["seen"]) for finding in findings.values())


def _send_mail(reader: Any, event: AlertEvent, alert: Alert, stuck: Stuck, now: datetime) -> None:
    """Mail a user by the product's task, or by Django when the transaction commits."""
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


def _content(event: AlertEvent, alert: Alert, stuck: Stuck, now: datetime) -> tuple[str, dict[str, Any]]:
    """Return a mail's subject and template context, in the active language."""
    kinds = alert_kinds()
    items = [_item(kind, alert.findings[kind.name], now) for kind in kinds if kind.name in alert.findings]
    heading, current = _heading(event), [item for item in items if item["count"]]
    what = ", ".join(item["title"] for item in current)
    context = {
        "event": event.value,
        "heading": heading,
        "stage": settings.STAGE,
        "opened": _local(alert.opened_at),
        "lasted": timesince(alert.opened_at, _last_seen(alert.findings) if event is AlertEvent.CLOSED else now),
        "calm": timesince(now - timedelta(seconds=CALM_SECONDS), now),
        "remind": timesince(now - timedelta(seconds=settings.STUCK_REMIND_SECONDS), now),
        "stuck": current,
        "fixed": [item for item in items if not item["count"]],
        "unknown": [
            {"title": str(kind.heading), "why": stuck.unread[kind.name]} for kind in kinds if kind.name in stuck.unread
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
        AlertEvent.CLOSED: _("Nothing is stuck any more"),
    }[event]


def _item(kind: AlertKind, finding: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    oldest = datetime.fromisoformat(finding["oldest"]) if finding["oldest"] else None
    examples = [_example(one) for one in finding["examples"]]
    return {
        "kind": kind.name,
        "count": finding["count"],
        "name": str(kind.heading),
        "title": kind.title(finding["count"]) % {"count": finding["count"]},
        "since": _local(oldest) if oldest else "",
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
    return {
        "id": one["id"],
        "task": one["task"],
        "since": _local(datetime.fromisoformat(one["since"])),
        "subject": "" if subject_id is None else registered_hooks().describe_subject(subject_id),
    }


def _queue(stuck: Stuck) -> str:
    if stuck.waiting is None:
        return ""
    counts = {"waiting": stuck.waiting, "in_flight": stuck.in_flight}
    return _("The task queue: %(waiting)s waiting, %(in_flight)s in flight.") % counts


def _local(moment: datetime) -> str:
    local = timezone.localtime(moment)
    return f"{date_format(local, 'DATETIME_FORMAT')} {local:%Z}"
