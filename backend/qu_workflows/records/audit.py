"""The audit table: who did what, when, to what, and how it went.

An entry is committed before the act and completed after it. One that stays STARTED is of a process that died in
the middle: whether the act was done is to be seen at its target.
"""

import getpass
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import transaction
from uuid6 import uuid7

from qu_workflows.protocol.refusals import OperationFailed, OperationRefused
from qu_workflows.records.json_values import storable_text
from qu_workflows.records.models import AuditAction, AuditEntry, AuditOutcome

MAX_ACTOR_LENGTH = 150
MAX_TARGET_LENGTH = 256


def new_batch() -> UUID:
    """Return the id that everything which one call does has in common."""
    return UUID(str(uuid7()))


def command_actor(name: str = "") -> str:
    """Return who runs a command, ``name@host``. ``name`` is what ``--as`` says, "" for the system's user.

    Raises OperationRefused for a name that is too long or not printable.
    """
    name = name or _system_user()
    host = f"@{socket.gethostname()}"
    if not name.isprintable() or len(name + host) > MAX_ACTOR_LENGTH:
        raise OperationRefused(
            "--as",
            f"is over {MAX_ACTOR_LENGTH - len(host)} characters, or not printable.",
            "Give the name by which you are known.",
        )
    return name + host


@contextmanager
def audited(
    actor: str,
    action: AuditAction,
    target: str,
    batch: UUID | None = None,
    details: Mapping[str, Any] | None = None,
) -> Iterator[AuditEntry]:
    """Do an act with an entry in the audit table: STARTED before it, then DONE, REFUSED or FAILED.

    Inside, ``entry.message`` and ``entry.details`` may be set: they are saved with the outcome. An
    OperationRefused makes it REFUSED, any other exception FAILED, with what it says; it goes through. Not to be
    used within a transaction (RuntimeError): the entry must be there whatever becomes of the act.
    """
    entry = begin_entry(actor, action, target, batch or new_batch(), details or {})
    try:
        yield entry
    except Exception as error:
        complete_entry(entry, error)
        raise
    complete_entry(entry)


def begin_entry(actor: str, action: AuditAction, target: str, batch: UUID, details: Mapping[str, Any]) -> AuditEntry:
    """Commit an entry, STARTED, before its act. Not to be used within a transaction (RuntimeError)."""
    with transaction.atomic(durable=True):
        return AuditEntry.objects.create(
            actor=actor[:MAX_ACTOR_LENGTH],
            action=action,
            target=target[:MAX_TARGET_LENGTH],
            batch=batch,
            details=dict(details),
        )


def complete_entry(entry: AuditEntry, error: Exception | None = None) -> None:
    """Save how an act went: DONE, REFUSED by an OperationRefused, FAILED by any other error."""
    entry.outcome = AuditOutcome.DONE
    if error is not None:
        refused = isinstance(error, OperationRefused) and not isinstance(error, OperationFailed)
        entry.outcome = AuditOutcome.REFUSED if refused else AuditOutcome.FAILED
        entry.message = storable_text(str(error) or type(error).__name__)
    entry.save(update_fields=["outcome", "message", "details"])


def _system_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return f"uid {os.getuid()}"
