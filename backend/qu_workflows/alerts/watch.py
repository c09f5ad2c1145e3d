"""Tells operations of what is stuck: one alert, not a flood.

At most one alert is open. It is told when it opens, when something of another kind is stuck as well, again after
STUCK_REMIND_SECONDS (unless an earlier mail has not left yet), and once when all has been well for an hour. A kind
that went and comes back while the alert is open is not told again, so what comes and goes, as the counts of SQS do,
is no flood. What could not be looked at counts as it was when it was seen last.
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from qu_workflows.alerts.alert_mails import CALM_SECONDS, TEMPLATE_NAME, Event, alert_mail, last_seen
from qu_workflows.alerts.findings import Finding, Kind, Seen, look_at_queues, look_at_records
from qu_workflows.records.locks import take_turn
from qu_workflows.records.models import Alert, TaskRecord, TaskStatus
from qu_workflows.tasks.registry import registered_tasks

OPERATIONS_GROUP = "Operations"
MAIL_TASK = "send_notification_email"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Step:
    """What becomes of the alert: what it holds from now on, and what is told of it, if anything."""

    findings: dict[str, Any]
    event: Event | None = None


def watch(now: datetime | None = None) -> dict[str, Any]:
    """Look for what is stuck, tell operations if there is news, and return what was found.

    ``{"findings": {kind: {"count", "oldest", "examples"}}, "told": <mails>, "queue": {"waiting", "in_flight"},
    "not_looked_at": {kind: why}}``; times are ISO 8601. Safe to repeat, and for several at once: the mails are
    recorded with the alert, in one transaction.
    """
    seen = look_at_queues()
    with transaction.atomic():
        take_turn("watch")
        now = now or timezone.now()
        seen.found |= look_at_records(now)
        told = _tell(seen, now)
    for kind, why in seen.unseen.items():
        logger.warning("%s could not be looked at: %s", kind, why)
    return {
        "findings": {kind.value: _as_json(seen.found[kind]) for kind in Kind if kind in seen.found},
        "told": told,
        "queue": {"waiting": seen.waiting, "in_flight": seen.in_flight},
        "not_looked_at": {kind.value: why for kind, why in seen.unseen.items()},
    }


def next_step(
    known: Mapping[str, Any] | None,
    told_at: datetime | None,
    found: Mapping[Kind, Finding],
    unseen: Collection[Kind],
    now: datetime,
) -> Step:
    """Return what becomes of the open alert, whose findings ``known`` are; None stands for no open alert.

    Beside what ``watch`` returns a finding has ``seen``: when it was stuck last.
    """
    seen = {"seen": now.isoformat()}
    fresh = {kind.value: _as_json(found[kind]) | seen for kind in Kind if kind in found}
    if known is None:
        return Step(fresh, Event.OPENED if fresh else None)
    findings = {kind: _as_it_is(was, seen, kind in unseen) for kind, was in known.items()} | fresh
    if not any(finding["count"] for finding in findings.values()):
        is_calm = now - last_seen(findings) >= timedelta(seconds=CALM_SECONDS)
        return Step(findings, Event.CLOSED if is_calm else None)
    if told_at is None:  # there was nobody to tell
        return Step(findings, Event.OPENED)
    if fresh.keys() - known.keys():
        return Step(findings, Event.WIDENED)
    is_due = now - told_at >= timedelta(seconds=settings.STUCK_REMIND_SECONDS)
    return Step(findings, Event.REMINDED if is_due else None)


def people_to_tell() -> list[User]:
    """Return the active members of the group "Operations" who have an address; if there are none, the superusers."""
    people: QuerySet[User] = User.objects.filter(is_active=True).exclude(email="").select_related("profile")
    members = people.filter(groups__name=OPERATIONS_GROUP).order_by("pk")
    return list(members) or list(people.filter(is_superuser=True).order_by("pk"))


def _tell(seen: Seen, now: datetime) -> int:
    """Bring the alert up to date and enqueue its mails, in the caller's transaction; return how many."""
    alert = Alert.objects.select_for_update().filter(closed_at__isnull=True).first()
    step = next_step(alert.findings if alert else None, alert.told_at if alert else None, seen.found, seen.unseen, now)
    if alert is None and step.event is None:
        return 0
    alert = alert or Alert(opened_at=now)
    was_told = alert.told_at is not None
    alert.findings = step.findings
    if step.event is Event.CLOSED:
        alert.closed_at = now
    alert.save()
    if step.event is None or (step.event is Event.CLOSED and not was_told):
        return 0
    if step.event is Event.REMINDED and _has_unsent_mail(alert):
        return 0
    told = _enqueue_mails(step.event, alert, seen, now)
    if told:
        alert.told_at = now
        alert.save(update_fields=["told_at"])
    return told


def _has_unsent_mail(alert: Alert) -> bool:
    """Return whether the outbox still has a mail of this alert: reminders behind it would all arrive with it."""
    unsent = TaskRecord.objects.filter(task=MAIL_TASK, status=TaskStatus.READY, enqueued_at__gte=alert.opened_at)
    return unsent.filter(payload__template_name=TEMPLATE_NAME).exists()


def _enqueue_mails(event: Event, alert: Alert, seen: Seen, now: datetime) -> int:
    people = people_to_tell()
    if not people:
        logger.error('There is nobody to tell of an alert: give somebody an address and the group "Operations".')
    task = registered_tasks()[MAIL_TASK].task
    for person in people:
        task.enqueue(user_id=person.pk, **alert_mail(person, event, alert, seen, now))
    return len(people)


def _as_it_is(was: Mapping[str, Any], seen: Mapping[str, str], is_unseen: bool) -> dict[str, Any]:
    """Return an earlier finding as it is now: as it was where nobody could look, and else gone."""
    if is_unseen:
        return {**was, **seen} if was["count"] else dict(was)
    return {**was, "count": 0}


def _as_json(finding: Finding) -> dict[str, Any]:
    examples = [
        {"id": one.id, "task": one.task, "since": one.since.isoformat(), "report_id": one.report_id}
        for one in finding.examples
    ]
    return {
        "count": finding.count,
        "oldest": finding.oldest.isoformat() if finding.oldest else None,
        "examples": examples,
    }
