"""A Make Thumbnails that fails on purpose, for demo and tests alone.

Files with ``fails-twice`` in their name raise StorageUnavailable on the first two attempts, counted in the bucket since
each may run in another process. Files with ``waits-for-a-word`` wait for a word in the bucket: ``fail`` fails the
iteration with an error that is neither retried nor caught; with any other word they are processed.
"""

import time
from typing import Any

from lambdas.make_thumbnails.handler import lambda_handler as make_thumbnails
from lambdas.shared.storage.objects import ObjectStore, object_store
from workflows.errors import FileMissing, PayloadInvalid, StorageUnavailable

MARK = "fails-twice"
FAILURES = 2
WAITS_MARK = "waits-for-a-word"
FAIL = "fail"
PATIENCE_SECONDS = 60.0


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Fail for marked files; otherwise call the real handler."""
    file, objects = event["file"], object_store()
    if MARK in file["name"]:
        attempt = _count_attempt(f"demo/tries/{file['file_id']}", objects)
        if attempt <= FAILURES:
            raise StorageUnavailable(file["key"], f"failed on purpose, attempt {attempt}.", "Try again.")
    if WAITS_MARK in file["name"] and _read_word(word_key(file["name"]), objects) == FAIL:
        raise PayloadInvalid(file["key"], "failed on purpose.", "Write another word, and redrive the execution.")
    return make_thumbnails(event, context)


def word_key(name: str) -> str:
    """Return the key of the object with the word for a file."""
    return f"demo/words/{name}"


def _count_attempt(key: str, objects: ObjectStore) -> int:
    try:
        attempt = int(objects.read(key)) + 1  # a file's attempts never overlap
    except FileMissing:
        attempt = 1
    objects.write(key, str(attempt).encode(), "text/plain")
    return attempt


def _read_word(key: str, objects: ObjectStore) -> str:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return objects.read(key).decode()
        except FileMissing:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
