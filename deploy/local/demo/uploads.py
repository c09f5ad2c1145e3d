"""The demo's guard reports, uploaded over HTTP as the mobile app does."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

from deploy import DeployError
from deploy.local.demo import flaky

SAMPLES = Path(__file__).with_name("samples")
REPORTS_PATH = "/api/mobile/guard-reports/"
MIN_REPORTS = 12
UPLOAD_TIMEOUT_SECONDS = 60

# A note and its files: a sample, or an upload name and its sample.
type Spec = tuple[str, Sequence[str | tuple[str, str]]]

BROKEN: Spec = (
    "The camera fell while this was saved; the second picture is whole.",
    ["truncated.jpg", "brick-wall.jpg"],
)
HOSTILE: Spec = ("Floor plan from a visitor's phone, and the cat again.", ["floor-plan.svg", "cat.png"])
FAILS_TWICE: Spec = ("Coffee machine left on, switched off.", [(f"{flaky.MARK}.jpg", "coffee.jpg")])
FAILS_UNTIL_FIXED: Spec = ("Back gate found open, closed.", [(f"{flaky.WAITS_MARK}.jpg", "brick-wall.jpg")])
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
    """A report to send. ``files`` are pairs of an upload name and a path."""

    guard_id: int
    note: str
    files: Sequence[tuple[str, Path]]
    is_incident: bool = False


class UploadRefused(DeployError):
    """The API refused a report; the text has its answer."""


def uploads(own_files: Sequence[Path], guard_ids: Sequence[int], *, fails: bool = True) -> list[Upload]:
    """Return the reports to send, of the user's own files or else the samples.

    One has a broken file, one a hostile file, and one a file whose step fails twice. With ``fails``, the first one
    fails its execution until the cause is fixed.
    """
    reports = list(_own_reports(own_files) if own_files else SAMPLE_REPORTS)
    first = [FAILS_UNTIL_FIXED] if fails else []  # it takes longest
    half = len(reports) // 2
    specs: list[Spec] = [*first, *reports[:half], BROKEN, HOSTILE, FAILS_TWICE, *reports[half:]]
    return [
        Upload(guard_ids[index % len(guard_ids)], note, [_sent_as(file) for file in files])
        for index, (note, files) in enumerate(specs)
    ]


def send_report(django_url: str, api_key: str, upload: Upload) -> dict[str, Any]:
    """Send one report and return the API's answer. Raises UploadRefused, or urllib3's errors."""
    fields: list[tuple[str, Any]] = [("note", upload.note), ("is_incident", str(upload.is_incident).lower())]
    fields += [("files", (name, path.read_bytes(), "application/octet-stream")) for name, path in upload.files]
    headers = {"X-Api-Key": api_key, "X-Guard-ID": str(upload.guard_id)}
    with urllib3.PoolManager(retries=False, timeout=UPLOAD_TIMEOUT_SECONDS) as http:
        response = http.request("POST", f"{django_url}{REPORTS_PATH}", fields=fields, headers=headers)
    if response.status != 201:
        text = response.data[:500].decode(errors="replace")
        names = ", ".join(name for name, _ in upload.files)
        raise UploadRefused(f"{names}: POST {REPORTS_PATH} answered {response.status}: {text}")
    answer: dict[str, Any] = response.json()
    return answer


def _own_reports(files: Sequence[Path]) -> Iterator[Spec]:
    for index in range(max(MIN_REPORTS, len(files))):
        path = files[index % len(files)]
        yield f"{path.name}, from the command line.", [(path.name, str(path.resolve()))]


def _sent_as(file: str | tuple[str, str]) -> tuple[str, Path]:
    name, source = (file, file) if isinstance(file, str) else file
    return name, SAMPLES / source  # an absolute path stays itself
