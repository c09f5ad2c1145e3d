"""A Make Thumbnails that fails on purpose, for the demo and the tests: no deployed package has this module.

Files whose name contains ``fails-twice`` meet StorageUnavailable on their first two tries. Tries are
counted in the bucket, since each may run in another process. Files whose name contains ``waits-for-a-word`` wait
until the bucket has a word for them: ``fail`` fails the iteration, which nothing tries again or catches; any other
lets them work.
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
LOOK_SECONDS = 0.1


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Fail the first two tries of a marked file; do the real work of every other."""
    file = event["file"]
    if MARK in file["name"]:
        tried = count_try(f"demo/tries/{file['file_id']}", object_store())
        if tried <= FAILURES:
            raise StorageUnavailable(file["key"], f"failed on purpose, try {tried}.", "Try again.")
    if WAITS_MARK in file["name"] and read_word(word_key(file["name"]), object_store()) == FAIL:
        raise PayloadInvalid(file["key"], "failed on purpose.", "Put another word, and redrive the execution.")
    return make_thumbnails(event, context)


def count_try(key: str, objects: ObjectStore) -> int:
    """Return which try this is, 1 being the first. A file's tries never overlap."""
    try:
        tried = int(objects.read(key)) + 1
    except FileMissing:
        tried = 1
    objects.write(key, str(tried).encode(), "text/plain")
    return tried


def word_key(name: str) -> str:
    """Return the key of the object with the word for a file."""
    return f"demo/words/{name}"


def read_word(key: str, objects: ObjectStore) -> str:
    """Return the word that lies under a key, as soon as one does. Raises FileMissing after a minute."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return objects.read(key).decode()
        except FileMissing:
            if time.monotonic() > deadline:
                raise
            time.sleep(LOOK_SECONDS)
