"""What the demo uploads, and how: guard reports over HTTP, as the mobile app sends them."""

import http.client
import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deploy.local.demo import refusal
from deploy.local.demo.flaky import MARK

SAMPLES = Path(__file__).with_name("samples")
REPORTS_PATH = "/api/mobile/guard-reports/"
MIN_REPORTS = 12
UPLOAD_TIMEOUT_SECONDS = 60

# note, then the files: a name, or a name to upload it under and the sample it is.
type Spec = tuple[str, Sequence[str | tuple[str, str]]]

BROKEN: Spec = (
    "The camera fell while this was saved; the second picture is whole.",
    ["truncated.jpg", "brick-wall.jpg"],
)
HOSTILE: Spec = (
    "Floor plan from a visitor's phone, and the cat again.",
    ["floor-plan.svg", "cat.png"],
)
FAILS_TWICE: Spec = ("Coffee machine left on, switched off.", [(f"{MARK}.jpg", "coffee.jpg")])
REFUSED: Spec = (
    "Back gate found open, closed.",
    [(f"{refusal.MARK}.jpg", "brick-wall.jpg"), "patrol-log.pdf"],
)
SAMPLE_REPORTS: Sequence[Spec] = (
    ("All doors locked, lights off.", ["photographer.jpg"]),
    ("Perimeter wall and driveway, nothing to see.", ["brick-wall.jpg", "gravel.webp"]),
    ("Patrol log of the night.", ["patrol-log.pdf"]),
    ("A cat in the loading dock.", ["cat.png"]),
    ("Break room.", ["sideways-with-gps.jpg"]),
    ("Delivery at the east gate, and the camera's pan.", ["launch-pad.webp", "pan.gif"]),
    ("Visitor badge shown at the desk.", ["astronaut-palette.png"]),
    ("Lawn mown, path clear.", ["png-named.jpg"]),
    ("Typed note, and a picture of the tripod left outside.", ["note.txt", "photographer.jpg"]),
    ("Round finished: log, wall and cat.", ["patrol-log.pdf", "brick-wall.jpg", "cat.png"]),
    ("Gravel raked.", ["gravel.webp"]),
    ("Second cup.", ["coffee.jpg"]),
    ("Launch pad, photographed and filmed from the roof.", ["launch-pad.heic", "launch-pad.mp4"]),
    ("The radio call, and what was handed over.", ["radio-call.m4a", "handover.docx"]),
)


@dataclass(frozen=True)
class Upload:
    """A report to send: who sends it, its note, its files by the names they are sent under, whether it is urgent."""

    guard_id: int
    note: str
    files: Sequence[tuple[str, Path]]
    is_incident: bool = False


class UploadRefused(Exception):
    """The API did not take a report; the text holds its answer."""


def uploads(own_files: Sequence[Path], guard_ids: Sequence[int], *, refused: bool = True) -> list[Upload]:
    """Return the reports to send: of the reader's own files, if any, else of the samples.

    Either way one has a broken file, one a hostile one, and one's file meets a step that fails twice;
    ``refused``: the first one's is refused by the database until that is mended.
    """
    reports = [*_own_reports(own_files)] if own_files else list(SAMPLE_REPORTS)
    first = [REFUSED] if refused else []  # it takes longest
    half = len(reports) // 2
    specs: list[Spec] = [*first, *reports[:half], BROKEN, HOSTILE, FAILS_TWICE, *reports[half:]]
    return [
        Upload(guard_ids[index % len(guard_ids)], note, [_sent_as(file) for file in files])
        for index, (note, files) in enumerate(specs)
    ]


def send_report(django_url: str, api_key: str, upload: Upload) -> dict[str, Any]:
    """Send one report and return the API's answer. Raises UploadRefused, OSError."""
    boundary = secrets.token_hex(16)
    body = b"".join([*_parts(upload, boundary), f"--{boundary}--\r\n".encode()])
    headers = {
        "Content-Type": f"multipart/form-data; boundary={boundary}",
        "X-Api-Key": api_key,
        "X-Guard-ID": str(upload.guard_id),
    }
    try:
        return _call(django_url, "POST", REPORTS_PATH, 201, headers, body)
    except UploadRefused as error:
        raise UploadRefused(f"{', '.join(name for name, _ in upload.files)}: {error}") from None


def read_report(django_url: str, api_key: str, guard_id: int, report_id: int) -> dict[str, Any]:
    """Return a report as its guard's app sees it, with signed addresses of files and thumbnails."""
    headers = {"X-Api-Key": api_key, "X-Guard-ID": str(guard_id)}
    return _call(django_url, "GET", f"{REPORTS_PATH}{report_id}/", 200, headers)


def _own_reports(files: Sequence[Path]) -> Iterator[Spec]:
    for index in range(max(MIN_REPORTS, len(files))):
        path = files[index % len(files)]
        yield f"{path.name}, from the command line.", [(path.name, str(path.resolve()))]


def _sent_as(file: str | tuple[str, str]) -> tuple[str, Path]:
    name, source = (file, file) if isinstance(file, str) else file
    return name, SAMPLES / source  # an absolute path stays itself


def _parts(upload: Upload, boundary: str) -> Iterator[bytes]:
    head = f"--{boundary}\r\nContent-Disposition: form-data; "
    yield f'{head}name="note"\r\n\r\n{upload.note}\r\n'.encode()
    if upload.is_incident:
        yield f'{head}name="is_incident"\r\n\r\ntrue\r\n'.encode()
    for name, path in upload.files:
        quoted = name.replace('"', "%22").replace("\r", " ").replace("\n", " ")
        yield f'{head}name="files"; filename="{quoted}"\r\nContent-Type: application/octet-stream\r\n\r\n'.encode()
        yield path.read_bytes()
        yield b"\r\n"


def _call(
    django_url: str, method: str, path: str, expected: int, headers: dict[str, str], body: bytes | None = None
) -> dict[str, Any]:
    connection = http.client.HTTPConnection(urlsplit(django_url).netloc, timeout=UPLOAD_TIMEOUT_SECONDS)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        content = response.read()
    finally:
        connection.close()
    if response.status != expected:
        raise UploadRefused(f"{method} {path} answered {response.status}: {content[:500].decode(errors='replace')}")
    answer: dict[str, Any] = json.loads(content)
    return answer
