"""A Make Thumbnails that fails twice and then works, for the demo: no deployed package has this module.

Files whose name contains ``fails-twice`` meet StorageUnavailable on their first two tries. Tries are
counted in the bucket, since each may run in another process.
"""

from typing import Any

from lambdas.make_thumbnails.handler import lambda_handler as make_thumbnails
from lambdas.shared.objects import ObjectStore, object_store
from workflows.errors import FileMissing, StorageUnavailable

MARK = "fails-twice"
FAILURES = 2


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Fail the first two tries of a marked file; do the real work of every other."""
    file = event["file"]
    if MARK in file["name"]:
        tried = count_try(f"demo/tries/{file['file_id']}", object_store())
        if tried <= FAILURES:
            raise StorageUnavailable(file["key"], f"failed on purpose, try {tried}.", "Try again.")
    return make_thumbnails(event, context)


def count_try(key: str, objects: ObjectStore) -> int:
    """Return which try this is, 1 being the first. A file's tries never overlap."""
    try:
        tried = int(objects.read(key)) + 1
    except FileMissing:
        tried = 1
    objects.write(key, str(tried).encode(), "text/plain")
    return tried
