import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.checks.messages import ERROR
from django.db import connection
from pytest_django import Settings

from config.base import DEVELOPMENT_KEY
from config.checks import check_settings
from deploy import ROOT
from qu_workflows.tasks.outbox import OLDER_THAN_SECONDS
from reports.retention import MAX_DAYS, MIN_DAYS

SMTP, FILES = (f"django.core.mail.backends.{name}.EmailBackend" for name in ("smtp", "filebased"))
PRODUCTION: dict[str, Any] = {
    "STAGE": "production",
    "ALLOWED_HOSTS": ["reports.example.com"],
    "SECRET_KEY": "s" * 50,
    "PUBLIC_URL": "https://reports.example.com",
    "AWS_STORAGE_BUCKET_NAME": "files",
    "USE_ASYNC_TASKS": True,
    "AWS_SQS_QUEUE_URL": "https://sqs.us-east-2.amazonaws.com/000000000000/tasks",
    "AWS_SQS_DLQ_URL": "https://sqs.us-east-2.amazonaws.com/000000000000/tasks-dlq",
    "MAILERS": {"default": {"BACKEND": FILES}},
}
ON_ONE_SERVER = PRODUCTION | {"WORKFLOW_ENGINE": "worker", "AWS_STORAGE_BUCKET_NAME": ""}


def test_a_first_look_needs_no_settings() -> None:
    assert check_settings() == []
    assert [message for message in run_checks() if message.level >= ERROR] == []


def test_a_complete_production_is_well(settings: Settings) -> None:
    apply(settings, PRODUCTION)

    assert check_settings() == []


def test_one_server_needs_no_bucket_but_mail(settings: Settings) -> None:
    apply(settings, ON_ONE_SERVER)

    assert [message.id for message in check_settings()] == ["config.E012"]
    apply(settings, {"MAILERS": {"default": {"BACKEND": SMTP}}})
    assert check_settings() == []


@pytest.mark.parametrize(
    ("changed", "number", "named"),
    [
        ({"STAGE": "staging"}, "E001", "STAGE"),
        (PRODUCTION | {"DEBUG": True}, "E002", "DJANGO_DEBUG"),
        (PRODUCTION | {"SECRET_KEY": "short"}, "E003", "DJANGO_SECRET_KEY"),
        (PRODUCTION | {"SECRET_KEY": DEVELOPMENT_KEY}, "E003", "DJANGO_SECRET_KEY"),
        (PRODUCTION | {"ALLOWED_HOSTS": ["*"]}, "E019", "DJANGO_ALLOWED_HOSTS"),
        (PRODUCTION | {"API_KEYS_FOR_ALL_GUARDS": True}, "W004", "API_KEYS_FOR_ALL_GUARDS"),
        ({"DEFAULT_FROM_EMAIL": "no address"}, "E005", "DEFAULT_FROM_EMAIL"),
        ({"PUBLIC_URL": "reports.example.com"}, "E006", "PUBLIC_URL"),
        ({"PUBLIC_URL": "https://x/?y"}, "E006", "PUBLIC_URL"),
        (PRODUCTION | {"PUBLIC_URL": "http://reports.example.com"}, "E007", "PUBLIC_URL"),
        (PRODUCTION | {"AWS_STORAGE_BUCKET_NAME": ""}, "E008", "AWS_STORAGE_BUCKET_NAME"),
        ({"MEDIA_ROOT": Path("/var/uploads")}, "E009", "DJANGO_MEDIA_ROOT"),
        ({"UPLOAD_MAX_FILES": 0}, "E010", "UPLOAD_MAX_FILES"),
        ({"REPORT_LINK_DAYS": -1}, "E010", "REPORT_LINK_DAYS"),
        ({"UPLOAD_MAX_FILE_BYTES": 10, "UPLOAD_MAX_TOTAL_BYTES": 9}, "E011", "UPLOAD_MAX_TOTAL_BYTES"),
        (PRODUCTION | {"ALLOWED_HOSTS": ["127.0.0.1", "localhost"]}, "E013", "DJANGO_ALLOWED_HOSTS"),
        (PRODUCTION | {"USE_ASYNC_TASKS": False}, "E012", "EMAIL_BACKEND"),
        (PRODUCTION | {"TASK_FALLBACK": "sync"}, "E012", "EMAIL_BACKEND"),
        ({"USE_ASYNC_TASKS": True}, "W001", "AWS_STORAGE_BUCKET_NAME"),
        ({"RETENTION_REPORT_DAYS": -1}, "E014", "RETENTION_REPORT_DAYS"),
        ({"RETENTION_REPORT_DAYS": MIN_DAYS - 1}, "E014", "RETENTION_REPORT_DAYS"),
        ({"RETENTION_TASK_DAYS": -1}, "E014", "RETENTION_TASK_DAYS"),
        ({"RETENTION_TASK_DAYS": MAX_DAYS + 1}, "E014", "RETENTION_TASK_DAYS"),
        ({"RETENTION_TASK_DAYS": 89}, "W002", "RETENTION_TASK_DAYS"),
        ({"STUCK_UNSENT_SECONDS": 0}, "E015", "STUCK_UNSENT_SECONDS"),
        ({"STUCK_UNSTARTED_SECONDS": 0}, "E015", "STUCK_UNSTARTED_SECONDS"),
        ({"STUCK_RUNNING_SECONDS": -1}, "E015", "STUCK_RUNNING_SECONDS"),
        ({"STUCK_REMIND_SECONDS": 0}, "E015", "STUCK_REMIND_SECONDS"),
        ({"STUCK_REMIND_SECONDS": 10**15}, "E015", "STUCK_REMIND_SECONDS"),
        ({"INCIDENT_HEARTBEAT_SECONDS": 900}, "E016", "INCIDENT_HEARTBEAT_SECONDS"),
        ({"INCIDENT_HEARTBEAT_SECONDS": 0}, "E016", "INCIDENT_HEARTBEAT_SECONDS"),
        ({"INCIDENT_ANSWER_SECONDS": 90_000}, "E016", "INCIDENT_ANSWER_SECONDS"),
        ({"TRACE_SAMPLED_PERCENT": 101}, "E018", "TRACE_SAMPLED_PERCENT"),
        ({"TRACE_SAMPLED_PERCENT": -1}, "E018", "TRACE_SAMPLED_PERCENT"),
        ({"EVIDENCE_MAX_METERS": -1}, "E017", "EVIDENCE_MAX_METERS"),
        ({"EVIDENCE_MAX_AGE_SECONDS": -1}, "E017", "EVIDENCE_MAX_AGE_SECONDS"),
        ({"EVIDENCE_MAX_AGE_SECONDS": 10**12}, "E017", "EVIDENCE_MAX_AGE_SECONDS"),
        ({"STUCK_UNSENT_SECONDS": OLDER_THAN_SECONDS}, "W003", "STUCK_UNSENT_SECONDS"),
    ],
)
def test_a_problem_names_the_setting_and_the_remedy(
    settings: Settings, changed: dict[str, Any], number: int, named: str
) -> None:
    apply(settings, changed)

    found = {message.id: message for message in check_settings()}

    assert f"config.{number}" in found
    message = found[f"config.{number}"]
    assert named in f"{message.msg} {message.hint}"
    assert message.hint
    assert message in run_checks()


@pytest.mark.parametrize("name", ["RETENTION_REPORT_DAYS", "RETENTION_TASK_DAYS"])
def test_zero_days_are_well_since_they_keep_for_ever(settings: Settings, name: str) -> None:
    apply(settings, {name: 0})

    assert check_settings() == []


@pytest.mark.parametrize("days", [MIN_DAYS, MAX_DAYS])
def test_what_the_sweep_takes_is_well(settings: Settings, days: int) -> None:
    apply(settings, {"RETENTION_REPORT_DAYS": days})

    assert check_settings() == []


@pytest.mark.parametrize(("given", "is_dry"), [("", True), (" ", True), ("True", True), ("False", False)])
def test_only_a_word_that_says_so_ends_the_dry_run(given: str, is_dry: bool) -> None:
    program = "from config import base; print(base.RETENTION_DRY_RUN)"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "backend"), "RETENTION_DRY_RUN": given}

    printed = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )

    assert printed.stdout.strip() == str(is_dry)


def test_workflows_may_run_in_a_production_process_that_sends_mail(settings: Settings) -> None:
    apply(settings, PRODUCTION | {"TASK_FALLBACK": "sync", "MAILERS": {"default": {"BACKEND": SMTP}}})

    assert check_settings() == []


@pytest.mark.parametrize(
    "environment", [{"STAGE": "production"}, {"DJANGO_ALLOWED_HOSTS": "127.0.0.1,api.example.com"}]
)
def test_a_public_site_does_not_start_without_its_own_key(environment: dict[str, str]) -> None:
    program = "import config.base"
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "backend"), "DJANGO_SECRET_KEY": ""}

    started = subprocess.run(
        [sys.executable, "-c", program], env=given | environment, capture_output=True, text=True, check=False
    )

    assert started.returncode == 1
    assert "DJANGO_SECRET_KEY is not set. Set it to" in started.stderr


def test_production_does_not_run_on_sqlite(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(settings, PRODUCTION)
    monkeypatch.setattr(connection, "vendor", "sqlite")

    (message,) = check_settings()

    assert (message.id, "DATABASE_URL" in message.msg) == ("config.E004", True)


def apply(settings: Settings, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(settings, name, value)
