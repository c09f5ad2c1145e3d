"""Deletes dead letters for good: each is first saved, to a file or to the bucket, and entered in the audit table."""

import base64
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import IO, Any
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.utils import timezone

from qu_workflows.aws import clients as aws
from qu_workflows.aws.queues import QueuePair, queue_pair
from qu_workflows.dead_letters.held_messages import HeldMessages, holding
from qu_workflows.dead_letters.messages import DeadLetter, Reading, Selection, judged, not_there, read
from qu_workflows.protocol.refusals import OperationFailed, OperationRefused
from qu_workflows.records.audit import audited, new_batch
from qu_workflows.records.json_values import storable_json
from qu_workflows.records.models import AuditAction, AuditEntry

type Act = tuple[AbstractContextManager[AuditEntry], AuditEntry]
type Save = Callable[[Sequence[DeadLetter]], None]

PURGED_PREFIX = "purged/"


@dataclass(frozen=True)
class BucketFolder:
    """Where a process without a disk of its own saves what it purges: objects below a prefix of the bucket.

    ``bucket`` is AWS_STORAGE_BUCKET_NAME. What lies there goes after the time that the bucket's rule says.
    """

    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"


@dataclass(frozen=True, kw_only=True)
class PurgeOrder:
    """What to delete, where to save it, and for whom. A file must not exist yet; its folder is made."""

    selection: Selection
    actor: str
    save_to: Path | BucketFolder
    batch: UUID = field(default_factory=new_batch)


@dataclass
class Purged:
    """What was deleted so far; ``failed`` has what SQS said of each message that is still there.

    ``missing`` counts those that were meant and could not be received any more: somebody else has them.
    """

    count: int = 0
    missing: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    was_stopped: bool = False
    error: str = ""


@dataclass(frozen=True)
class Purging:
    """What one call deletes from, saves to, and has done."""

    order: PurgeOrder
    pair: QueuePair
    held: HeldMessages
    save: Save
    purged: Purged


def preview_purge(selection: Selection, stop: Event | None = None) -> tuple[Reading, list[DeadLetter]]:
    """Return what was read and what of it would be deleted. Raises OperationRefused when nothing would be."""
    reading = read(stop=stop)
    meant = [letter for letter in reading.letters if selection.has(letter)]
    missing = selection.missing_from(reading.letters)
    if missing:
        raise not_there(missing, len(reading.letters))
    if not meant:
        raise OperationRefused("purge", "matches no message of the dead-letter queue.", "See manage.py dlq list.")
    return reading, meant


def purge(order: PurgeOrder, stop: Event, tell: Callable[[Purged], None]) -> Purged:
    """Delete the messages that are meant now, and return what was done; ``tell`` is given the same as it grows.

    Each is saved (on disk: flushed) and in the audit table, with the digest of its body, before it is deleted. Safe to
    repeat and to kill: a message is saved twice rather than not at all. Raises OperationRefused when nothing
    was changed.
    """
    pair = queue_pair()
    _reading, meant = preview_purge(order.selection, stop)
    ids, purged = {letter.message_id for letter in meant}, Purged()
    try:
        with _saving(order.save_to) as save, holding(pair.dlq_url) as held:
            _purge(Purging(order, pair, held, save, purged), ids, stop, tell)
    except OperationFailed as error:
        if not purged.count:
            raise
        purged.error = str(error)
    return purged


def _purge(purging: Purging, ids: set[str], stop: Event, tell: Callable[[Purged], None]) -> None:
    purged = purging.purged
    while ids and not purged.error:
        if stop.is_set():
            purged.was_stopped = True
            return
        received = purging.held.receive()
        if not received:
            purged.missing = len(ids)
            return
        letters = [letter for letter in judged(received) if letter.message_id in ids]
        if letters:
            _purge_some(purging, letters)
            ids -= {letter.message_id for letter in letters}
            tell(purged)


def as_json(letter: DeadLetter) -> dict[str, Any]:
    """Return a message as JSON has it; binary attributes in base64."""
    return {
        **asdict(letter),
        "sent_at": letter.sent_at.isoformat(),
        "age_seconds": round(letter.age_seconds),
        "message_attributes": {
            name: {
                key: base64.b64encode(part).decode() if isinstance(part, bytes) else part for key, part in value.items()
            }
            for name, value in letter.message_attributes.items()
        },
    }


def bucket_folder(batch: UUID) -> BucketFolder:
    """Return where in the bucket to save what is purged in one call. Raises OperationRefused without a bucket."""
    if not settings.AWS_STORAGE_BUCKET_NAME:
        raise OperationRefused(
            "AWS_STORAGE_BUCKET_NAME",
            "is not set, so there is no place to save what is deleted.",
            "Set it to the stack's output BucketName, or use manage.py dlq purge --save FILE.",
        )
    return BucketFolder(settings.AWS_STORAGE_BUCKET_NAME, f"{PURGED_PREFIX}{batch}/")


@contextmanager
def _saving(save_to: Path | BucketFolder) -> Iterator[Save]:
    if isinstance(save_to, BucketFolder):
        yield lambda letters: _put(save_to, letters)
    else:
        with _new_file(save_to) as file:
            yield lambda letters: _save(file, letters, save_to)


def _put(folder: BucketFolder, letters: Sequence[DeadLetter]) -> None:
    """Save some letters as one object, named by the first: the same letters saved twice are one object."""
    try:
        aws.s3().put_object(
            Bucket=folder.bucket,
            Key=f"{folder.prefix}{letters[0].message_id}.jsonl",
            Body="".join(f"{json.dumps(as_json(letter))}\n" for letter in letters).encode(),
            ContentType="application/jsonl",
        )
    except (ClientError, BotoCoreError) as error:
        raise OperationFailed(
            str(folder),
            f"could not be written ({error}). What is not saved was not deleted.",
            "See that the credentials have the policy of the output OperatorPolicyArn, and purge again.",
        ) from error


def _save(file: IO[str], letters: Sequence[DeadLetter], path: Path) -> None:
    try:
        file.writelines(f"{json.dumps(as_json(letter))}\n" for letter in letters)
        file.flush()
        os.fsync(file.fileno())
    except OSError as error:
        raise _not_saved(path, error) from error


def _not_saved(path: Path, error: OSError) -> OperationFailed:
    return OperationFailed(
        str(path),
        f"could not be written ({error.strerror}). What is not saved was not deleted.",
        "Make room, and purge again with --save for another file; keep this one.",
    )


def _purge_some(purging: Purging, letters: Sequence[DeadLetter]) -> None:
    order, purged = purging.order, purging.purged
    purging.save(letters)
    acts = {letter.message_id: _begin(order, purging.pair, letter) for letter in letters}
    try:
        refused = purging.held.delete(list(acts))
    except (ClientError, BotoCoreError) as error:
        purged.error = f"SQS: {type(error).__name__}: {error}"
        refused = dict.fromkeys(acts, purged.error)
    for message_id, (context, _entry) in acts.items():
        _end(context, refused.get(message_id))
    purged.failed |= refused
    purged.count += len(acts) - len(refused)


def _begin(order: PurgeOrder, pair: QueuePair, letter: DeadLetter) -> Act:
    details = {
        "queue": pair.dlq_name,
        "task": letter.task,
        "task_id": letter.task_id,
        "reason": letter.reason,
        "sha256": hashlib.sha256(letter.body.encode()).hexdigest(),
        "saved_to": str(order.save_to),
    }
    # A task's name is anybody's: PostgreSQL has no U+0000, nor half a surrogate pair.
    stored = storable_json(details)
    context = audited(order.actor, AuditAction.PURGE_DEAD_LETTERS, letter.message_id, order.batch, stored)
    return context, context.__enter__()


def _end(context: AbstractContextManager[AuditEntry], failure: str | None) -> None:
    """Complete one entry of several whose acts were one call, and may have gone differently."""
    error = None if failure is None else OperationFailed("SQS", f"did not delete it: {failure}", "Purge it again.")
    context.__exit__(None if error is None else type(error), error, None)


@contextmanager
def _new_file(path: Path) -> Iterator[IO[str]]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Payloads are personal data: for nobody else to read, as the files of the local stack.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise OperationRefused(
            str(path), f"can not be made ({error.strerror}).", "Give --save a new file in a folder you may write to."
        ) from error
    file = os.fdopen(descriptor, "w", encoding="utf-8")
    try:
        yield file
    finally:
        with suppress(OSError):  # of a full disk, which was told already: all that counts was flushed
            file.close()


def default_file(folder: Path, now: datetime | None = None) -> Path:
    """Return a new name for what is purged now."""
    return folder / f"dead-letters-{now or timezone.now():%Y%m%dT%H%M%S%f}.jsonl"
