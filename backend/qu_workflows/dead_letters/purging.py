"""Deletes dead letters for good: each is first saved, to a file or to the bucket, and entered in the audit table."""

import hashlib
import json
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, Protocol
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from qu_workflows.aws import clients as aws
from qu_workflows.aws.queues import QueuePair, queue_pair
from qu_workflows.dead_letters.handling import DeadLetterResult, QueuePass, Report, handle_batches
from qu_workflows.dead_letters.judging import DeadLetter, Selection
from qu_workflows.dead_letters.queries import preview_purge
from qu_workflows.dead_letters.receiving import HeldMessages
from qu_workflows.protocol.refusals import OperationFailed, OperationRefused
from qu_workflows.records.audit import begin_entry, complete_entry, new_batch
from qu_workflows.records.json_values import storable_json
from qu_workflows.records.models import AuditAction, AuditEntry

PURGED_PREFIX = "purged/"
_NOT_SAVED = "could not be written ({why}). What is not saved was not deleted."


class Archive(Protocol):
    """A place for purged messages; ``str`` of it names the place."""

    def save(self, letters: Sequence[DeadLetter]) -> None:
        """Save messages durably. Raises OperationRefused or OperationFailed when they are not saved."""


class FileArchive:
    """A new file, one JSON line per message, flushed to the disk. It is made with the first message."""

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
            remedy = "Make room, and purge again with --save for another file; keep this one."
            raise OperationFailed(str(self), _NOT_SAVED.format(why=error.strerror), remedy) from error

    def _make(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.touch(mode=0o600, exist_ok=False)  # payloads are personal data
        except OSError as error:
            remedy = "Give --save a new file in a folder you may write to."
            raise OperationRefused(str(self), f"cannot be created ({error.strerror}).", remedy) from error
        self._is_made = True


class BucketArchive:
    """Objects of the bucket AWS_STORAGE_BUCKET_NAME, for a process without a disk of its own.

    What lies there goes after the time that the bucket's rule says. Raises OperationRefused without a bucket.
    """

    def __init__(self, batch: UUID) -> None:
        if not settings.AWS_STORAGE_BUCKET_NAME:
            raise OperationRefused(
                "AWS_STORAGE_BUCKET_NAME",
                "is not set, so there is no place to save what is deleted.",
                "Set it to the stack's output BucketName, or use manage.py dlq purge --save FILE.",
            )
        self._bucket, self._prefix = settings.AWS_STORAGE_BUCKET_NAME, f"{PURGED_PREFIX}{batch}/"

    def __str__(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}"

    def save(self, letters: Sequence[DeadLetter]) -> None:
        """Save messages as one object, named by the first: the same messages saved twice are one object."""
        try:
            aws.s3().put_object(
                Bucket=self._bucket,
                Key=f"{self._prefix}{letters[0].message_id}.jsonl",
                Body=_json_lines(letters).encode(),
                ContentType="application/jsonl",
            )
        except (ClientError, BotoCoreError) as error:
            remedy = "See that the credentials have the policy of the output OperatorPolicyArn, and purge again."
            raise OperationFailed(str(self), _NOT_SAVED.format(why=error), remedy) from error


def purge(
    selection: Selection, archive: Archive, actor: str, stop: Event, report: Report, batch: UUID | None = None
) -> DeadLetterResult:
    """Delete the messages that are chosen now, and return what was done; ``report`` is given the same as it grows.

    Each is saved and in the audit table, with the digest of its body, before it is deleted. Safe to repeat and to
    kill: a message is saved twice rather than not at all. Raises OperationRefused when nothing was changed.
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
    # A task's name may be any text: PostgreSQL has no U+0000, nor half a surrogate pair.
    return begin_entry(actor, AuditAction.PURGE_DEAD_LETTERS, letter.message_id, batch, storable_json(details))


def _not_deleted(why: str | None) -> OperationFailed | None:
    return None if why is None else OperationFailed("SQS", f"did not delete it: {why}", "Purge it again.")
