from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.checks.messages import ERROR
from django.db import connection
from pytest_django import Settings

from config.checks import check_settings

PRODUCTION = {
    "STAGE": "production",
    "SECRET_KEY": "s" * 50,
    "PUBLIC_URL": "https://reports.example.com",
    "AWS_STORAGE_BUCKET_NAME": "files",
}


def test_a_first_look_needs_no_settings() -> None:
    assert check_settings() == []
    assert [message for message in run_checks() if message.level >= ERROR] == []


def test_a_complete_production_is_well(settings: Settings) -> None:
    apply(settings, PRODUCTION)

    assert check_settings() == []


@pytest.mark.parametrize(
    ("changed", "number", "named"),
    [
        ({"STAGE": "staging"}, "E001", "STAGE"),
        (PRODUCTION | {"DEBUG": True}, "E002", "DJANGO_DEBUG"),
        (PRODUCTION | {"SECRET_KEY": ""}, "E003", "DJANGO_SECRET_KEY"),
        (PRODUCTION | {"SECRET_KEY": "short"}, "E003", "DJANGO_SECRET_KEY"),
        ({"DEFAULT_FROM_EMAIL": "nobody"}, "E005", "DEFAULT_FROM_EMAIL"),
        ({"PUBLIC_URL": "reports.example.com"}, "E006", "PUBLIC_URL"),
        ({"PUBLIC_URL": "https://x/?y"}, "E006", "PUBLIC_URL"),
        (PRODUCTION | {"PUBLIC_URL": "http://reports.example.com"}, "E007", "PUBLIC_URL"),
        (PRODUCTION | {"AWS_STORAGE_BUCKET_NAME": ""}, "E008", "AWS_STORAGE_BUCKET_NAME"),
        ({"MEDIA_ROOT": Path("/var/uploads")}, "E009", "DJANGO_MEDIA_ROOT"),
        ({"UPLOAD_MAX_FILES": 0}, "E010", "UPLOAD_MAX_FILES"),
        ({"REPORT_LINK_DAYS": -1}, "E010", "REPORT_LINK_DAYS"),
        ({"UPLOAD_MAX_FILE_BYTES": 10, "UPLOAD_MAX_TOTAL_BYTES": 9}, "E011", "UPLOAD_MAX_TOTAL_BYTES"),
        ({"USE_ASYNC_TASKS": True}, "W001", "AWS_STORAGE_BUCKET_NAME"),
    ],
)
def test_what_is_wrong_is_named_with_what_to_set(
    settings: Settings, changed: dict[str, Any], number: int, named: str
) -> None:
    apply(settings, changed)

    found = {message.id: message for message in check_settings()}

    assert f"config.{number}" in found
    message = found[f"config.{number}"]
    assert named in f"{message.msg} {message.hint}"
    assert message.hint
    assert message in run_checks()


def test_production_does_not_run_on_sqlite(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(settings, PRODUCTION)
    monkeypatch.setattr(connection, "vendor", "sqlite")

    (message,) = check_settings()

    assert (message.id, "DATABASE_URL" in message.msg) == ("config.E004", True)


def apply(settings: Settings, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(settings, name, value)
