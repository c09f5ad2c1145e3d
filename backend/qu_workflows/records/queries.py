"""Queries on the tables: the audit list, last starts, and named locks."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import OuterRef, Q, Subquery
from django.db.models.functions import Coalesce, Greatest
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
        """Return the filter as a query. Raises OperationRefused for an invalid value."""
        for name, given, choices in (
            ("action", self.action, AuditAction.values),
            ("outcome", self.outcome, AuditOutcome.values),
        ):
            if given and given not in choices:
                raise OperationRefused(name, f"{given[:80]!r} does not exist.", f"Choose one of {', '.join(choices)}.")
        for name, given in (("actor", self.actor), ("target", self.target)):
            if not is_storable(given):
                raise OperationRefused(name, "has a character that no entry has.", "Leave it out.")
        conditions = {
            "action": self.action,
            "outcome": self.outcome,
            "actor__icontains": self.actor,
            "target": self.target,
            "batch": _uuid(self.batch) if self.batch else "",
            "at__gte": self.since,
            "at__lt": self.until,
        }
        return Q(**{name: given for name, given in conditions.items() if given})


@dataclass(frozen=True, kw_only=True)
class AuditRow:
    """One entry; ``task_id`` is its recorded task, or ""."""

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
        """The schedule that it acted on, "" for any other target."""
        return self.target if self.action in _OF_SCHEDULES else ""


@dataclass(frozen=True)
class AuditPage:
    """One page of entries; ``next_page`` is the next cursor, "" on the last page."""

    rows: tuple[AuditRow, ...]
    next_page: str


def list_audit(chosen: AuditFilter, limit: int = DEFAULT_LIMIT, page: str = "") -> AuditPage:
    """Return matching entries, the newest first. Raises OperationRefused."""
    found = AuditEntry.objects.filter(chosen.condition()).order_by("-at", "-id")
    if page:
        at, entry_id = _read_page(page)
        found = found.filter(at__lte=at).filter(Q(at__lt=at) | Q(id__lt=entry_id))
    entries = list(found.values()[: limit + 1])
    shown = entries[:limit]
    task_ids = [_task_of(entry) for entry in shown]
    known = set(TaskRecord.objects.filter(pk__in=filter(None, task_ids)).values_list("pk", flat=True))
    rows = tuple(
        AuditRow(**entry, task_id=task_id if task_id in known else "")
        for entry, task_id in zip(shown, task_ids, strict=True)
    )
    last = shown[-1] if len(entries) > limit else None
    return AuditPage(rows, f"{last['at'].astimezone(UTC).isoformat()},{last['id']}" if last else "")


def running_since() -> Greatest:
    """Return an annotation: the time of a task's last redrive, or of its start.

    The execution's time limit counts from there: a redrive resets it and keeps the start. Redrives that are not in
    the audit table, such as those made in AWS's console, are unknown.
    https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
    """
    redrives = AuditEntry.objects.filter(
        target=OuterRef("pk"), action=AuditAction.REDRIVE_EXECUTION, outcome=AuditOutcome.DONE
    )
    started = Coalesce("started_at", "enqueued_at")
    last_redrive = Subquery(redrives.order_by("-at").values("at")[:1])
    return Greatest(started, Coalesce(last_redrive, started))


def take_turn(name: str) -> None:
    """Wait for the lock of this name, and hold it until the transaction ends.

    A process that dies releases it with its connection. Has no effect outside a transaction.
    https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
    """
    if connection.vendor != "postgresql":  # SQLite, for a first look, has one writer at a time anyway
        return
    key = int.from_bytes(hashlib.sha256(f"the turn of {name}".encode()).digest()[:8], signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [key])


def _task_of(entry: Mapping[str, Any]) -> str:
    """Return the id of an entry's task, "" for none."""
    if entry["action"] in _OF_EXECUTIONS:
        return str(entry["target"])
    details = entry["details"]
    given = details.get("task_id") if isinstance(details, dict) else None
    return given if isinstance(given, str) and is_storable(given) else ""


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise OperationRefused("batch", f"{text[:80]!r} is not a batch id.", "Take one from an entry.") from None


def _read_page(page: str) -> tuple[datetime, int]:
    at, _comma, entry_id = page.partition(",")
    try:
        moment = parse_datetime(at)
    except ValueError:
        moment = None
    if moment is None or not timezone.is_aware(moment) or not (entry_id.isdecimal() and len(entry_id) < 19):
        raise OperationRefused("page", f"{page[:80]!r} is not a page.", "Start at the first page.")
    return moment, int(entry_id)
