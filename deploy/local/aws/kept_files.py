"""Carries the bucket's files over to the next start of the stack.

ministack keeps objects on disk, but with them the bucket, and CloudFormation, as on AWS, makes no bucket that
is there already. So the objects step aside before the start, and are put back once the stack has its bucket.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from deploy.local.aws.stand_in import LocalAws

_META_SUFFIX = ".meta.json"
_ACCOUNT = "000000000000"


def set_aside(s3_dir: Path, kept_dir: Path, bucket: str) -> None:
    """Move a bucket's objects out of ministack's folder. What an unfinished start has set aside stays there too."""
    for path in sorted((s3_dir / _ACCOUNT / bucket).rglob("*")):
        if path.is_file():
            target = kept_dir / path.relative_to(s3_dir / _ACCOUNT / bucket)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
    shutil.rmtree(s3_dir, ignore_errors=True)


def put_back(aws: LocalAws, kept_dir: Path, bucket: str) -> int:
    """Put the objects that were set aside into the bucket again and return how many there were."""
    count = 0
    for path, key, media_type in _objects(kept_dir):
        aws.s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes(), ContentType=media_type)
        count += 1
    shutil.rmtree(kept_dir, ignore_errors=True)
    return count


def _objects(kept_dir: Path) -> Iterator[tuple[Path, str, str]]:
    for meta_file in sorted(kept_dir.rglob(f"*{_META_SUFFIX}")):
        path = meta_file.with_name(meta_file.name.removesuffix(_META_SUFFIX))
        meta = json.loads(meta_file.read_text())
        # Else it is half written; or deleted, and only its versions are there.
        if path.is_file() and not meta.get("is_delete_marker"):
            yield path, meta["key"], meta.get("content_type") or "application/octet-stream"
