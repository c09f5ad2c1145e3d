"""System checks of the settings: each message names the setting and a valid value.

Errors (``config.E…``) prevent Django from starting. Some apply to production only, so that development needs no
settings. ``qu_workflows.tasks.checks`` has the checks of the queue.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004  Django's name
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import connection

from config.environment import read_text
from qu_workflows.aws.queues import runs_on_worker, uses_queue

STAGES = ("dev", "production")
MIN_SECRET_KEY_LENGTH = 32
EXECUTION_KEPT_DAYS = 90  # https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
OUTBOX_AGE_SECONDS = 60  # qu_workflows.tasks.outbox.OLDER_THAN_SECONDS
_DAY_SECONDS, _YEAR_SECONDS = 86_400, 31_536_000
_RETENTION_DAYS = (15, 36_500)  # reports.retention.MIN_DAYS and MAX_DAYS
_MAXIMUM_METERS = 20_100_000  # half the circumference of the Earth
_ANY = 2**63
_UNDELIVERED = {
    f"django.core.mail.backends.{name}.EmailBackend" for name in ("console", "dummy", "filebased", "locmem")
}
# Setting, error, lowest and highest value, consequence of another, and the meaning of 0 where that is valid, too.
_RANGES = (
    ("UPLOAD_MAX_FILES", "E010", 1, _ANY, "no report could be sent", ""),
    ("UPLOAD_MAX_FILE_BYTES", "E010", 1, _ANY, "no report could be sent", ""),
    ("UPLOAD_MAX_TOTAL_BYTES", "E010", 1, _ANY, "no report could be sent", ""),
    ("UPLOADS_PER_MINUTE", "E010", 1, _ANY, "no report could be sent", ""),
    ("REPORT_LINK_DAYS", "E010", 1, _ANY, "links in mails would never work", ""),
    ("RETENTION_REPORT_DAYS", "E014", *_RETENTION_DAYS, "retention_sweep would refuse to run", "keep all reports"),
    ("RETENTION_TASK_DAYS", "E014", *_RETENTION_DAYS, "retention_sweep would refuse to run", "keep all records"),
    ("STUCK_UNSENT_SECONDS", "E015", 1, _YEAR_SECONDS, "either all tasks or none would be stuck", ""),
    ("STUCK_UNSTARTED_SECONDS", "E015", 1, _YEAR_SECONDS, "either all tasks or none would be stuck", ""),
    ("STUCK_RUNNING_SECONDS", "E015", 1, _YEAR_SECONDS, "either all tasks or none would be stuck", ""),
    ("STUCK_REMIND_SECONDS", "E015", 1, _YEAR_SECONDS, "reminders would be constant, or never sent", ""),
    ("EVIDENCE_MAX_METERS", "E017", 1, _MAXIMUM_METERS, "either all files or none would be suspect", "turn it off"),
    ("EVIDENCE_MAX_AGE_SECONDS", "E017", 1, 10 * _YEAR_SECONDS, "all files or none would be suspect", "turn it off"),
    ("TRACE_SAMPLED_PERCENT", "E018", 1, 100, "it is not a percentage", "keep no traces"),
)


@register(Tags.security)
def check_settings(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:  # noqa: ARG001  Django's signature
    """Return the problems of the settings."""
    subjects = (_ranges, _site, _database, _mail, _public_url, _files, _relations)
    return [message for check in subjects for message in check()]


def _error(code: str, problem: str, remedy: str) -> Error:
    return Error(problem, hint=remedy, id=f"config.{code}")


def _warning(code: str, problem: str, remedy: str) -> Warning:
    return Warning(problem, hint=remedy, id=f"config.{code}")


def _in_production() -> bool:
    return bool(settings.STAGE == "production")


def _ranges() -> Iterator[CheckMessage]:
    for name, code, lowest, highest, consequence, zero in _RANGES:
        value = getattr(settings, name, lowest)  # functions have no limits of uploads
        if not (lowest <= value <= highest or (zero and value == 0)):
            valid = f"{lowest} or more" if highest == _ANY else f"{lowest} to {highest}"
            meaning = f", or to 0 to {zero}" if zero else ""
            yield _error(code, f"{name} is {value}: {consequence}.", f"Set {name} to {valid}{meaning}.")


def _site() -> Iterator[CheckMessage]:
    if settings.STAGE not in STAGES:
        yield _error("E001", f"STAGE is {settings.STAGE!r}.", f"Set STAGE to one of: {', '.join(STAGES)}.")
    if _in_production() and settings.DEBUG:
        yield _error("E002", "DJANGO_DEBUG is on in production.", "Unset DJANGO_DEBUG.")
    is_published = settings.SECRET_KEY == settings.DEVELOPMENT_KEY
    if settings.STAGE != "dev" and (is_published or len(settings.SECRET_KEY) < MIN_SECRET_KEY_LENGTH):
        yield _error(
            "E003",
            "DJANGO_SECRET_KEY is too short, or the published one: links and tokens could be forged.",
            f"Set DJANGO_SECRET_KEY to at least {MIN_SECRET_KEY_LENGTH} random characters, the same in all processes.",
        )
    if _in_production() and "*" in settings.ALLOWED_HOSTS:
        yield _error(
            "E019",
            "DJANGO_ALLOWED_HOSTS allows all hosts: links in mails could lead to another site.",
            "Set DJANGO_ALLOWED_HOSTS to the host names of this site, such as api.example.com.",
        )
    if _in_production() and settings.THIS_MACHINE.issuperset(settings.ALLOWED_HOSTS):
        yield _error(
            "E013",
            "DJANGO_ALLOWED_HOSTS contains only this machine: all requests from elsewhere would be refused.",
            "Set DJANGO_ALLOWED_HOSTS to the host names of this site, such as api.example.com.",
        )

    if _in_production() and getattr(settings, "API_KEYS_FOR_ALL_GUARDS", False):
        yield _warning(
            "W004",
            "API_KEYS_FOR_ALL_GUARDS is on: the holder of a key without a guard can act for each guard.",
            "Give each guard a key (manage.py create_api_key NAME --guard ID), then unset API_KEYS_FOR_ALL_GUARDS.",
        )


def _database() -> Iterator[CheckMessage]:
    if _in_production() and connection.vendor == "sqlite":
        yield _error(
            "E004",
            "DATABASE_URL is not PostgreSQL: production would write to a file beside the code.",
            "Set DATABASE_URL=postgres://user:password@host:5432/name.",
        )


def _mail() -> Iterator[CheckMessage]:
    try:
        validate_email(settings.DEFAULT_FROM_EMAIL)
    except ValidationError:
        yield _error(
            "E005",
            f"DEFAULT_FROM_EMAIL is {settings.DEFAULT_FROM_EMAIL!r}, not an email address.",
            "Set DEFAULT_FROM_EMAIL to an address that SES may send from, such as noreply@qusecurity.com.",
        )
    runs_workflows = not uses_queue() or settings.TASK_FALLBACK == "sync"
    uses_backend = not read_text("SENT_EMAILS_TABLE")  # with it, workflows in this process send by SES
    is_undelivered = settings.MAILERS["default"]["BACKEND"] in _UNDELIVERED
    if _in_production() and runs_workflows and uses_backend and is_undelivered:
        yield _error(
            "E012",
            "EMAIL_BACKEND does not deliver mail, and workflows that run in this process or the worker would use it.",
            "Set EMAIL_BACKEND=django.core.mail.backends.smtp.EmailBackend and EMAIL_HOST, "
            "or SENT_EMAILS_TABLE to send by SES, or USE_ASYNC_TASKS=True and TASK_FALLBACK=outbox.",
        )


def _public_url() -> Iterator[CheckMessage]:
    url = urlsplit(settings.PUBLIC_URL)
    if url.scheme not in {"http", "https"} or not url.netloc or url.query or url.fragment:
        yield _error(
            "E006",
            f"PUBLIC_URL is {settings.PUBLIC_URL!r}, not the address of a site.",
            "Set PUBLIC_URL to the public address of this site, such as https://reports.example.com.",
        )
    elif _in_production() and url.scheme != "https":
        yield _error(
            "E007",
            f"PUBLIC_URL is {settings.PUBLIC_URL!r}: links in mails would be sent unencrypted.",
            "Set PUBLIC_URL to an address that begins with https://.",
        )


def _files() -> Iterator[CheckMessage]:
    if settings.AWS_STORAGE_BUCKET_NAME:
        return
    if _in_production() and not runs_on_worker():
        yield _error(
            "E008",
            "AWS_STORAGE_BUCKET_NAME is not set: the functions could not read the uploaded files.",
            "Set AWS_STORAGE_BUCKET_NAME to the bucket of this stage.",
        )
    if settings.MEDIA_ROOT.name != settings.MEDIA_PREFIX.rstrip("/"):
        yield _error(
            "E009",
            f"DJANGO_MEDIA_ROOT ends in {settings.MEDIA_ROOT.name!r}, but keys begin with {settings.MEDIA_PREFIX}.",
            "Name the folder media, or set AWS_STORAGE_BUCKET_NAME.",
        )
    if uses_queue():
        yield _warning(
            "W001",
            "USE_ASYNC_TASKS is on, but AWS_STORAGE_BUCKET_NAME is not set: functions on AWS could not read files.",
            "Set AWS_STORAGE_BUCKET_NAME to the bucket that the functions read.",
        )


def _relations() -> Iterator[CheckMessage]:
    """Yield the problems of settings that depend on each other or on AWS."""
    if getattr(settings, "UPLOAD_MAX_FILE_BYTES", 0) > getattr(settings, "UPLOAD_MAX_TOTAL_BYTES", 0):
        yield _error(
            "E011",
            "UPLOAD_MAX_FILE_BYTES is more than UPLOAD_MAX_TOTAL_BYTES: files of that size would be refused.",
            "Set UPLOAD_MAX_TOTAL_BYTES to at least UPLOAD_MAX_FILE_BYTES.",
        )
    answer, heartbeat = settings.INCIDENT_ANSWER_SECONDS, settings.INCIDENT_HEARTBEAT_SECONDS
    if not 0 < heartbeat < answer <= _DAY_SECONDS:
        yield _error(
            "E016",
            f"INCIDENT_HEARTBEAT_SECONDS is {heartbeat} and INCIDENT_ANSWER_SECONDS is {answer}: "
            "the next supervisor would be asked at the wrong time.",
            f"Set 0 < INCIDENT_HEARTBEAT_SECONDS < INCIDENT_ANSWER_SECONDS <= {_DAY_SECONDS}; "
            "in the functions, by the template's parameters.",
        )
    if 0 < settings.RETENTION_TASK_DAYS < EXECUTION_KEPT_DAYS:
        yield _warning(
            "W002",
            f"RETENTION_TASK_DAYS is {settings.RETENTION_TASK_DAYS}: records of executions that AWS still keeps "
            "would be removed.",
            f"Set RETENTION_TASK_DAYS to {EXECUTION_KEPT_DAYS} or more, or to 0 to keep all records.",
        )
    if 0 < settings.STUCK_UNSENT_SECONDS <= OUTBOX_AGE_SECONDS:
        yield _warning(
            "W003",
            f"STUCK_UNSENT_SECONDS is {settings.STUCK_UNSENT_SECONDS}: tasks would be reported before send_outbox "
            f"sends them, after {OUTBOX_AGE_SECONDS} seconds.",
            "Set STUCK_UNSENT_SECONDS to 300.",
        )
