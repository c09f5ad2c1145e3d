"""Keep the bucket's files for the next start of the stack.

ministack saves objects together with their bucket, and CloudFormation creates no bucket that already exists. So the
objects are moved away before the start, and uploaded once the stack has its bucket.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from deploy.local.aws.stand_in import ACCOUNT, LocalAws

_META_SUFFIX = ".meta.json"


def set_aside(s3_dir: Path, kept_dir: Path, bucket: str) -> None:
    """Move a bucket's objects out of ministack's folder, beside those of an unfinished start."""
    for path in sorted((s3_dir / ACCOUNT / bucket).rglob("*")):
        if path.is_file():
            target = kept_dir / path.relative_to(s3_dir / ACCOUNT / bucket)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
    shutil.rmtree(s3_dir, ignore_errors=True)


def put_back(aws: LocalAws, kept_dir: Path, bucket: str) -> int:
    """Upload the objects that were set aside and return their number."""
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
        # Otherwise it is half written, or deleted with only its versions left.
        if path.is_file() and not meta.get("is_delete_marker"):
            yield path, meta["key"], meta.get("content_type") or "application/octet-stream"
