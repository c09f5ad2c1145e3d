"""The demo's uploads."""

from collections.abc import Iterator
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from deploy.local.demo import flaky
from deploy.local.demo.uploads import MIN_REPORTS, SAMPLES, Upload, UploadRefused, send_report, uploads


def test_every_sample_is_sent_with_the_planned_faults() -> None:
    planned = uploads([], [1, 2, 3])
    sent = [path.name for upload in planned for _, path in upload.files]
    samples = {path.name for path in SAMPLES.iterdir() if path.name != "README.md"}

    assert len(planned) >= MIN_REPORTS
    assert set(sent) == samples
    assert sent.count("truncated.jpg") == sent.count("floor-plan.svg") == 1
    assert len([name for upload in planned for name, _ in upload.files if flaky.MARK in name]) == 1
    assert [upload.files[0][0].startswith(flaky.WAITS_MARK) for upload in planned].index(True) == 0
    assert {upload.guard_id for upload in planned} == {1, 2, 3}


def test_nothing_fails_where_no_execution_can_be_redriven() -> None:
    planned = uploads([], [1], fails=False)

    assert len(planned) == len(uploads([], [1])) - 1
    assert not [name for upload in planned for name, _ in upload.files if name.startswith(flaky.WAITS_MARK)]


def test_own_files_replace_the_samples_but_not_the_faults(tmp_path: Path) -> None:
    own = tmp_path / "door.jpg"
    own.write_bytes(b"x")

    names = [name for upload in uploads([own], [1]) for name, _ in upload.files]

    assert names.count("door.jpg") == MIN_REPORTS
    samples = {"truncated.jpg", "brick-wall.jpg", "cat.png", "floor-plan.svg"}
    assert {*names} == {"door.jpg", f"{flaky.MARK}.jpg", f"{flaky.WAITS_MARK}.jpg"} | samples


class Api(BaseHTTPRequestHandler):
    """Takes every upload but that of an empty file."""

    taken: Any = None

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        parts = message_from_bytes(f"Content-Type: {self.headers['Content-Type']}\n\n".encode() + body).get_payload()
        fields = {part.get_param("name", header="content-disposition"): part for part in parts}  # type: ignore[union-attr]  # it is multipart
        Api.taken = {name: (part.get_filename(), part.get_payload(decode=True)) for name, part in fields.items()}  # type: ignore[union-attr]  # likewise
        is_empty = not Api.taken["files"][1]
        self.send_response(400 if is_empty else 201)
        self.end_headers()
        self.wfile.write(b'{"files": {"0": ["The submitted file is empty."]}}' if is_empty else b'{"id": 7}')

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def api() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Api) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_report_is_sent_as_a_form(api: str) -> None:
    answer = send_report(api, "key", Upload(1, "Café", [("door.jpg", SAMPLES / "coffee.jpg")], is_incident=True))

    assert answer == {"id": 7}
    assert Api.taken == {
        "note": (None, "Café".encode()),
        "is_incident": (None, b"true"),
        "files": ("door.jpg", (SAMPLES / "coffee.jpg").read_bytes()),
    }


def test_a_refused_upload_names_its_files_and_the_reason(api: str, tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()

    with pytest.raises(UploadRefused, match=r"^empty\.jpg: POST .* answered 400: .*The submitted file is empty"):
        send_report(api, "key", Upload(1, "", [("empty.jpg", tmp_path / "empty.jpg")]))
