"""The audit table, found: by who, what, when and to what, the newest first, some at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.json_values import is_storable
from qu_workflows.records.models import AuditAction, AuditEntry, AuditOutcome, TaskRecord

DEFAULT_LIMIT = 50
_OF_EXECUTIONS = (AuditAction.REDRIVE_EXECUTION, AuditAction.STOP_EXECUTION, AuditAction.RESTART_EXECUTION)
_OF_SCHEDULES = (AuditAction.PAUSE_SCHEDULE, AuditAction.RESUME_SCHEDULE, AuditAction.RUN_SCHEDULE)


@dataclass(frozen=True, kw_only=True)
class AuditFilter:
    """A filter of entries; all given conditions must hold.

    ``target`` is a whole id or name, ``actor`` a part of a name.
    """

    actor: str = ""
    action: str = ""
    outcome: str = ""
    target: str = ""
    batch: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def condition(self) -> Q:
        """Return it for the database. Raises OperationRefused for what no entry has."""
        condition = Q()
        for name, given, choices in (
            ("action", self.action, AuditAction.values),
            ("outcome", self.outcome, AuditOutcome.values),
        ):
            if given and given not in choices:
                raise OperationRefused(name, f"there is no {given[:80]!r}.", f"Choose one of {', '.join(choices)}.")
            condition &= Q(**{name: given}) if given else Q()
        for name, given in (("actor__icontains", self.actor), ("target", self.target)):
            if not is_storable(given):
                raise OperationRefused(name, "has a character that no entry has.", "Leave it out.")
            condition &= Q(**{name: given}) if given else Q()
        condition &= Q(batch=_uuid(self.batch)) if self.batch else Q()
        condition &= Q(at__gte=self.since) if self.since else Q()
        return condition & (Q(at__lt=self.until) if self.until else Q())


@dataclass(frozen=True)
class AuditRow:
    """One entry. ``task_id`` is the task that it was done to or that came of it, if there is a record of it."""

    id: int
    at: datetime
    actor: str
    action: str
    target: str
    batch: UUID
    outcome: str
    message: str
    details: Mapping[str, Any]
    task_id: str

    @property
    def action_words(self) -> str:
        """The action in words."""
        return str(AuditAction(self.action).label) if self.action in AuditAction.values else self.action

    @property
    def outcome_words(self) -> str:
        """The outcome in words."""
        return str(AuditOutcome(self.outcome).label) if self.outcome in AuditOutcome.values else self.outcome

    @property
    def schedule(self) -> str:
        """The schedule that it was done to, "" for anything else."""
        return self.target if self.action in _OF_SCHEDULES else ""


@dataclass(frozen=True)
class AuditPage:
    """Some entries; ``next_page`` asks for those after them, "" if there are none."""

    rows: tuple[AuditRow, ...]
    next_page: str


def list_audit(chosen: AuditFilter, limit: int = DEFAULT_LIMIT, page: str = "") -> AuditPage:
    """Return entries that fit a filter, the newest first, in two queries. Raises OperationRefused."""
    found = AuditEntry.objects.filter(chosen.condition()).order_by("-at", "-id")
    if page:
        at, entry_id = _read_page(page)
        found = found.filter(at__lte=at).filter(Q(at__lt=at) | Q(id__lt=entry_id))
    entries = list(found[: limit + 1])
    shown = entries[:limit]
    meant = {entry.pk: task_id for entry in shown if (task_id := _task_of(entry))}
    known = set(TaskRecord.objects.filter(pk__in=set(meant.values())).values_list("pk", flat=True))
    rows = tuple(_row(entry, meant.get(entry.pk, ""), known) for entry in shown)
    last = shown[-1] if len(entries) > limit else None
    return AuditPage(rows, f"{last.at.astimezone(UTC).isoformat()},{last.pk}" if last else "")


def _task_of(entry: AuditEntry) -> str:
    """Return the id of the task that an entry is about: what came of it, or what it was done to; "" for none."""
    details = entry.details if isinstance(entry.details, dict) else {}
    if entry.action in _OF_EXECUTIONS:
        return entry.target
    given = details.get("task_id")
    return given if isinstance(given, str) and is_storable(given) else ""


def _row(entry: AuditEntry, task_id: str, known: set[str]) -> AuditRow:
    return AuditRow(
        id=entry.pk,
        at=entry.at,
        actor=entry.actor,
        action=entry.action,
        target=entry.target,
        batch=entry.batch,
        outcome=entry.outcome,
        message=entry.message,
        details=entry.details,
        task_id=task_id if task_id in known else "",
    )


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise OperationRefused("batch", f"{text[:80]!r} is no id of one.", "Take it from an entry.") from None


def _read_page(page: str) -> tuple[datetime, int]:
    at, _comma, entry_id = page.partition(",")
    try:
        moment = parse_datetime(at)
    except ValueError:
        moment = None
    if moment is None or not timezone.is_aware(moment) or not (entry_id.isdecimal() and len(entry_id) < 19):
        raise OperationRefused("page", f"{page[:80]!r} is no page.", "Begin at the first.")
    return moment, int(entry_id)
