"""The audit table: actor, action, target, time and outcome of each operation.

An entry is committed before the action and completed after it. An entry that stays STARTED belongs to a process that
died meanwhile: its target shows whether the action was done.
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
    """Return an id for the entries of one call."""
    return UUID(str(uuid7()))


def command_actor(name: str = "") -> str:
    """Return the actor of a command, ``name@host``, by default the system's user.

    Raises OperationRefused for a name that is too long or not printable.
    """
    name = name or _system_user()
    host = f"@{socket.gethostname()}"
    if not name.isprintable() or len(name + host) > MAX_ACTOR_LENGTH:
        problem = f"is over {MAX_ACTOR_LENGTH - len(host)} characters, or not printable."
        raise OperationRefused("--as", problem, "Give your user name.")
    return name + host


@contextmanager
def audited(
    actor: str,
    action: AuditAction,
    target: str,
    batch: UUID | None = None,
    details: Mapping[str, Any] | None = None,
) -> Iterator[AuditEntry]:
    """Run an action with an audit entry: STARTED before it, then DONE, REFUSED or FAILED.

    ``entry.message`` and ``entry.details`` may be set inside and are saved with the outcome. OperationRefused makes it
    REFUSED, any other exception FAILED, with the exception's text; both are raised again. Raises RuntimeError within
    a transaction, because the entry must survive a failure of the action.
    """
    entry = begin_entry(actor, action, target, batch or new_batch(), details or {})
    try:
        yield entry
    except Exception as error:
        complete_entry(entry, error)
        raise
    complete_entry(entry)


def begin_entry(actor: str, action: AuditAction, target: str, batch: UUID, details: Mapping[str, Any]) -> AuditEntry:
    """Commit a STARTED entry before its action. Raises RuntimeError within a transaction."""
    with transaction.atomic(durable=True):
        return AuditEntry.objects.create(
            actor=actor[:MAX_ACTOR_LENGTH],
            action=action,
            target=target[:MAX_TARGET_LENGTH],
            batch=batch,
            details=dict(details),
        )


def complete_entry(entry: AuditEntry, error: Exception | None = None) -> None:
    """Save an action's outcome: DONE, REFUSED for an OperationRefused, FAILED for any other error."""
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
