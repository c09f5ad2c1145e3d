import json
from typing import Any

import pytest

from lambdas.record_report.handler import lambda_handler
from reports.models import GuardReport, ReportFile
from tests.backend.people import make_file, make_report
from workflows.errors import ReportNotFound

pytestmark = pytest.mark.django_db

FACTS = {"kind": "image", "media_type": "image/png", "size_bytes": 70, "sha256": "b" * 64, "width": 8, "height": 6}
SMALL = {"size": "small", "key": "thumbnails/b/small.webp", "media_type": "image/webp", "width": 8, "height": 6}


def record(report: GuardReport, *results: Any) -> dict[str, Any]:
    return lambda_handler({"task_id": "t-1", "report_id": report.pk, "results": list(results)}, None)


def rejected(file: ReportFile, error: str, cause: object) -> dict[str, Any]:
    text = cause if isinstance(cause, str) else json.dumps(cause)
    return {"file_id": file.pk, "status": "rejected", "error": error, "cause": text}


def test_repeated_results_are_recorded_once() -> None:
    report = make_report()
    file = make_file(report)
    accepted = {"file_id": file.pk, "status": "accepted", "facts": FACTS, "thumbnails": [SMALL | {"size_bytes": 5}]}

    for _attempt in range(2):
        assert record(report, accepted) == {"accepted": 1, "rejected": 0, "thumbnails": 1}

    file.refresh_from_db()
    report.refresh_from_db()
    assert (file.status, file.media_type, file.pages) == ("accepted", "image/png", None)
    assert [(made.size, made.key) for made in file.thumbnails.all()] == [("small", "thumbnails/b/small.webp")]
    assert report.processed_at is not None


@pytest.mark.parametrize(
    ("error", "cause", "reason"),
    [
        (
            "FileTooLarge",
            {"errorType": "FileTooLarge", "errorMessage": "{key}: has 9 bytes too many. Send a smaller one."},
            "The file is too large to be processed. It has 9 bytes too many. Send a smaller one.",
        ),
        ("FileMissing", {"errorType": "FileMissing"}, "The file is no longer in the storage."),
        ("UnreadablePdf", "not json", "The PDF is damaged or protected by a password."),
        ("UnreadablePdf", ["not", "an", "object"], "The PDF is damaged or protected by a password."),
        ("UnreadableImage", {"errorMessage": ["no text"]}, "The picture is damaged and cannot be shown."),
        (
            "States.Timeout",
            "",
            "The file could not be processed within the time limit.",
        ),
        (
            "Runtime.ExitError",
            {"errorType": "Runtime.ExitError", "errorMessage": "RequestId: 1 Error: Runtime exited: signal: killed"},
            "The file could not be processed: it needed too much memory, or crashed the program.",
        ),
        ("Whatever", {"errorMessage": "Traceback"}, "The file could not be processed."),
    ],
)
def test_a_reason_is_in_plain_language(error: str, cause: object, reason: str) -> None:
    report = make_report()
    file = make_file(report)
    text = json.dumps(cause).replace("{key}", file.key) if not isinstance(cause, str) else cause

    record(report, rejected(file, error, text))

    file.refresh_from_db()
    assert (file.status, file.error, file.reason) == ("rejected", error, reason)


def test_a_long_reason_is_shortened() -> None:
    report = make_report()
    file = make_file(report)

    record(report, rejected(file, "UnreadableImage", {"errorMessage": "x\x00" * 40_000}))

    file.refresh_from_db()
    assert len(file.reason) <= 500


def test_a_report_without_files_is_processed() -> None:
    report = make_report()

    assert record(report) == {"accepted": 0, "rejected": 0, "thumbnails": 0}

    report.refresh_from_db()
    assert report.processed_at is not None


def test_a_missing_report_is_an_error() -> None:
    report = make_report()
    report.delete()
    report.pk = 10**9

    with pytest.raises(ReportNotFound):
        record(report)
