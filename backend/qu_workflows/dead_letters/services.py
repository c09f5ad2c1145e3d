"""Changes the dead-letter queue: redrive and purge, also within a web request.

Within a request both end after SECONDS and report their progress; repeating the request continues. Each purged message
is first saved, to a file or to the bucket, and entered in the audit table.
"""

import hashlib
import json
import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event, Timer
from typing import Any, Protocol
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from qu_workflows.aws import clients as aws
from qu_workflows.aws.queues import QueuePair, queue_depth, queue_pair, sqs_refusals
from qu_workflows.dead_letters.judging import DeadLetter, Selection
from qu_workflows.dead_letters.queries import MOST_SHOWN, expire_snapshot, preview_purge
from qu_workflows.dead_letters.receiving import DeadLetterResult, HeldMessages, QueuePass, Report, handle_batches
from qu_workflows.dead_letters.redriving import DEFAULT_PER_SECOND, MAX_PER_SECOND, DeadLetterRedrive, redrive
from qu_workflows.protocol.refusals import OperationFailed, OperationRefused
from qu_workflows.records.audit import begin_entry, complete_entry, new_batch
from qu_workflows.records.json_values import storable_json
from qu_workflows.records.models import AuditAction, AuditEntry

__all__ = [
    "DEFAULT_PER_SECOND",
    "MAX_PER_SECOND",
    "DeadLetterRedrive",
    "DeadLetterResult",
    "FileArchive",
    "purge",
    "purge_within_request",
    "redrive",
    "redrive_command",
    "redrive_within_request",
]

PURGED_PREFIX = "purged/"
_NOT_SAVED = "could not be written ({why}). Messages that are not saved were not deleted."
SECONDS = 20.0  # a web server waits for 30
# Reading more takes longer than a request may.
MOST_IN_A_REQUEST = 5_000


class Archive(Protocol):
    """A place for purged messages; ``str`` of it names the place."""

    def save(self, letters: Sequence[DeadLetter]) -> None:
        """Save messages durably. Raises OperationRefused or OperationFailed when they are not saved."""


class FileArchive:
    """A new file with one JSON line per message, flushed to disk."""

    def __init__(self, path: Path) -> None:
        self._path, self._is_made = path, False

    def __str__(self) -> str:
        return str(self._path)

    def save(self, letters: Sequence[DeadLetter]) -> None:
        """Append messages to the file."""
        if not self._is_made:
            self._make()
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(_json_lines(letters))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            remedy = "Free some disk space and purge again with another --save file; keep this one."
            raise OperationFailed(str(self), _NOT_SAVED.format(why=error.strerror), remedy) from error

    def _make(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.touch(mode=0o600, exist_ok=False)  # payloads are personal data
        except OSError as error:
            remedy = "Give --save a new file in a writable folder."
            raise OperationRefused(str(self), f"cannot be created ({error.strerror}).", remedy) from error
        self._is_made = True


class BucketArchive:
    """Objects in AWS_STORAGE_BUCKET_NAME, deleted by the bucket's lifecycle rule."""

    def __init__(self, batch: UUID) -> None:
        if not settings.AWS_STORAGE_BUCKET_NAME:
            raise OperationRefused(
                "AWS_STORAGE_BUCKET_NAME",
                "is not set, and purged messages are saved there.",
                "Set it to the stack's output BucketName, or use manage.py dlq purge --save FILE.",
            )
        self._bucket, self._prefix = settings.AWS_STORAGE_BUCKET_NAME, f"{PURGED_PREFIX}{batch}/"

    def __str__(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}"

    def save(self, letters: Sequence[DeadLetter]) -> None:
        """Save messages as one object, named by the first message."""
        try:
            aws.s3().put_object(
                Bucket=self._bucket,
                Key=f"{self._prefix}{letters[0].message_id}.jsonl",
                Body=_json_lines(letters).encode(),
                ContentType="application/jsonl",
            )
        except (ClientError, BotoCoreError) as error:
            remedy = "Use credentials with the policy of the stack's output OperatorPolicyArn, and purge again."
            raise OperationFailed(str(self), _NOT_SAVED.format(why=error), remedy) from error


def purge(
    selection: Selection, archive: Archive, actor: str, stop: Event, report: Report, batch: UUID | None = None
) -> DeadLetterResult:
    """Delete the messages that match now; ``report`` gets the growing result.

    Each message is saved and entered in the audit table, with the digest of its body, before it is deleted. Safe to
    repeat and to kill: a message may be saved twice. Raises OperationRefused when nothing was changed.
    """
    pair, run = queue_pair(), QueuePass(stop, report)
    _found, chosen = preview_purge(selection, stop)
    begin = partial(_begin, pair, archive, actor, batch or new_batch())

    def delete(held: HeldMessages, letters: Sequence[DeadLetter]) -> None:
        if not letters:
            return
        archive.save(letters)
        entries = {letter.message_id: begin(letter) for letter in letters}
        refused = held.delete(entries)
        for message_id, entry in entries.items():
            complete_entry(entry, _not_deleted(refused.get(message_id)))
        run.result.failed |= refused
        run.result.count += len(letters) - len(refused)
        report(run.result)

    handle_batches(pair.dlq_url, {letter.message_id for letter in chosen}, delete, run)
    return run.result


def redrive_within_request(wanted: DeadLetterRedrive) -> DeadLetterResult:
    """Redrive until all are moved or the time is up (``was_stopped``). Raises as ``redrive`` does."""
    _refuse_many(redrive_command(wanted))
    with _time_limit() as stop:
        return redrive(wanted, stop, _ignore)


def purge_within_request(ids: Sequence[str], actor: str) -> tuple[DeadLetterResult, str]:
    """Purge messages until the time is up; return the result and the archive.

    Takes message ids only, so that a user deletes only messages that were shown. Raises as ``purge`` does.
    """
    if not 1 <= len(ids) <= MOST_SHOWN:
        raise OperationRefused("purge", f"{len(ids):,} messages are selected.", f"Select 1 to {MOST_SHOWN}.")
    _refuse_many("manage.py dlq purge --id ID --save FILE --yes")
    batch = new_batch()
    archive = BucketArchive(batch)
    with _time_limit() as stop:
        return purge(Selection(ids=ids), archive, actor, stop, _ignore, batch), str(archive)


def redrive_command(wanted: DeadLetterRedrive) -> str:
    """Return the command that does the same without a time limit."""
    selection = wanted.selection
    which = f"--task {shlex.quote(selection.task)}" if selection.task else "--all"
    return f"manage.py dlq redrive {'--id ID' if selection.ids else which} --per-second {wanted.per_second} --yes"


def _refuse_many(command: str) -> None:
    with sqs_refusals():
        count = queue_depth(queue_pair().dlq_url).visible
    if count > MOST_IN_A_REQUEST:
        raise OperationRefused(
            "the dead-letter queue",
            f"has about {count:,} messages, more than one request can handle.",
            f"Use {command}.",
        )


@contextmanager
def _time_limit() -> Iterator[Event]:
    stop = Event()
    timer = Timer(SECONDS, stop.set)
    timer.daemon = True
    timer.start()
    try:
        yield stop
    finally:
        timer.cancel()
        expire_snapshot()


def _ignore(_result: DeadLetterResult) -> None:
    """Report no progress within a request."""


def _json_lines(letters: Sequence[DeadLetter]) -> str:
    return "".join(f"{json.dumps(letter.as_json())}\n" for letter in letters)


def _begin(pair: QueuePair, archive: Archive, actor: str, batch: UUID, letter: DeadLetter) -> AuditEntry:
    details: dict[str, Any] = {
        "queue": pair.dlq_name,
        "task": letter.task,
        "task_id": letter.task_id,
        "reason": letter.reason,
        "sha256": hashlib.sha256(letter.body.encode()).hexdigest(),
        "saved_to": str(archive),
    }
    # A task's name may be any text; PostgreSQL accepts neither U+0000 nor half a surrogate pair.
    return begin_entry(actor, AuditAction.PURGE_DEAD_LETTERS, letter.message_id, batch, storable_json(details))


def _not_deleted(why: str | None) -> OperationFailed | None:
    return None if why is None else OperationFailed("SQS", f"did not delete it: {why}", "Purge it again.")
