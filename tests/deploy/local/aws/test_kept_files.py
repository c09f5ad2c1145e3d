"""The bucket's files from one start of the stack to the next."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from deploy.local.aws.kept_files import put_back, set_aside

BUCKET = "files"


def keep(s3_dir: Path, key: str, **meta: Any) -> None:
    """Write an object as ministack has it on disk."""
    path = s3_dir / "000000000000" / BUCKET / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"content of " + key.encode())
    path.with_name(f"{path.name}.meta.json").write_text(json.dumps({"key": key, **meta}))


def test_a_deleted_file_with_versions_is_not_restored(tmp_path: Path) -> None:
    keep(tmp_path / "s3", "media/kept.jpg", content_type="image/jpeg", version_id="1")
    keep(tmp_path / "s3", "media/deleted.jpg", is_delete_marker=True, version_id="3")
    put: list[dict[str, Any]] = []
    aws: Any = SimpleNamespace(s3=SimpleNamespace(put_object=lambda **given: put.append(given)))

    set_aside(tmp_path / "s3", tmp_path / "kept", BUCKET)
    count = put_back(aws, tmp_path / "kept", BUCKET)

    assert count == 1
    assert put == [
        {"Bucket": BUCKET, "Key": "media/kept.jpg", "Body": b"content of media/kept.jpg", "ContentType": "image/jpeg"}
    ]
    assert not (tmp_path / "s3").exists()
