"""Mails operations about what is stuck: one alert, not a flood.

At most one alert is open. It is mailed when it opens, when something of another kind is stuck as well, again after
STUCK_REMIND_SECONDS (unless an earlier mail has not left yet), and once when all has been well for an hour. A kind
that went and comes back while the alert is open is not mailed again, so what comes and goes, as the counts of SQS do,
is no flood. What could not be read counts as it was when it was read last.
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from qu_workflows.alerts.hooks import registered_hooks
from qu_workflows.alerts.mails import CALM_SECONDS, TEMPLATE_NAME, AlertEvent, last_seen, send_alert_mail
from qu_workflows.alerts.queries import Finding, Stuck, alert_kinds, stuck_messages, stuck_records
from qu_workflows.records.locks import take_turn
from qu_workflows.records.models import Alert, TaskRecord, TaskStatus

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class AlertStep:
    """The alert's next findings, and why it is mailed, if it is."""

    findings: dict[str, Any]
    event: AlertEvent | None = None


def watch(now: datetime | None = None) -> dict[str, Any]:
    """Find what is stuck, mail operations if there is news, and return what was found.

    ``{"findings": {kind: {"count", "oldest", "examples"}}, "told": <mails>, "queue": {"waiting", "in_flight"},
    "not_looked_at": {kind: why}}``; times are ISO 8601. Safe to repeat, and for several at once: the mails are
    recorded with the alert, in one transaction.
    """
    stuck = stuck_messages()
    with transaction.atomic():
        take_turn("watch")
        now = now or timezone.now()
        stuck.found |= stuck_records(now)
        mailed = _mail(stuck, now)
    for kind, why in stuck.unknown.items():
        logger.warning("%s could not be looked at: %s", kind, why)
    return {
        "findings": _in_order(stuck.found),
        "told": mailed,
        "queue": {"waiting": stuck.waiting, "in_flight": stuck.in_flight},
        "not_looked_at": stuck.unknown,
    }


def next_step(
    known: Mapping[str, Any] | None,
    mailed_at: datetime | None,
    found: Mapping[str, Finding],
    unknown: Collection[str],
    now: datetime,
) -> AlertStep:
    """Return the next step of the open alert, whose findings ``known`` are; None stands for no open alert.

    Beside what ``watch`` returns a finding has ``seen``: when it was stuck last.
    """
    seen = {"seen": now.isoformat()}
    fresh = {name: finding | seen for name, finding in _in_order(found).items()}
    if known is None:
        return AlertStep(fresh, AlertEvent.OPENED if fresh else None)
    findings = {name: _as_it_is(was, seen, name in unknown) for name, was in known.items()} | fresh
    if not any(finding["count"] for finding in findings.values()):
        is_calm = now - last_seen(findings) >= timedelta(seconds=CALM_SECONDS)
        return AlertStep(findings, AlertEvent.CLOSED if is_calm else None)
    if mailed_at is None:  # there was no recipient
        return AlertStep(findings, AlertEvent.OPENED)
    if fresh.keys() - known.keys():
        return AlertStep(findings, AlertEvent.WIDENED)
    is_due = now - mailed_at >= timedelta(seconds=settings.STUCK_REMIND_SECONDS)
    return AlertStep(findings, AlertEvent.REMINDED if is_due else None)


def _mail(stuck: Stuck, now: datetime) -> int:
    """Update the alert and enqueue its mails, in the caller's transaction; return how many."""
    alert = Alert.objects.select_for_update().filter(closed_at__isnull=True).first()
    known, mailed_at = (alert.findings, alert.told_at) if alert else (None, None)
    step = next_step(known, mailed_at, stuck.found, stuck.unknown, now)
    if alert is None and step.event is None:
        return 0
    alert = alert or Alert(opened_at=now)
    alert.findings = step.findings
    if step.event is AlertEvent.CLOSED:
        alert.closed_at = now
    alert.save()
    if step.event is None or (step.event is AlertEvent.CLOSED and mailed_at is None):
        return 0
    if step.event is AlertEvent.REMINDED and _has_unsent_mail(alert):
        return 0
    people = list(registered_hooks().recipients())
    if not people:
        logger.error('There is nobody to tell of an alert: give somebody an address and the group "Operations".')
        return 0
    for person in people:
        send_alert_mail(person, step.event, alert, stuck, now)
    alert.told_at = now
    alert.save(update_fields=["told_at"])
    return len(people)


def _has_unsent_mail(alert: Alert) -> bool:
    """Return whether the outbox still has a mail of this alert: reminders behind it would all arrive with it."""
    mails = TaskRecord.objects.filter(task=registered_hooks().mail_task, payload__template_name=TEMPLATE_NAME)
    return mails.filter(status=TaskStatus.READY, enqueued_at__gte=alert.opened_at).exists()


def _as_it_is(was: Mapping[str, Any], seen: Mapping[str, str], is_unknown: bool) -> dict[str, Any]:
    """Return an earlier finding as it is now: as it was where it could not be read, and else gone."""
    if is_unknown:
        return {**was, **seen} if was["count"] else dict(was)
    return {**was, "count": 0}


def _in_order(found: Mapping[str, Finding]) -> dict[str, dict[str, Any]]:
    return {kind.name: found[kind.name].as_json() for kind in alert_kinds() if kind.name in found}
