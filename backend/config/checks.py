"""System checks of the settings: what is missing or contradictory is named, with what to set.

Errors (``config.E…``) keep Django from starting. Outside production some are only warnings, so that a
first look needs no settings at all. Those of the queue are checked by ``qu_workflows.tasks.checks``.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import connection

from config.environment import read_text

STAGES = ("dev", "production")
MIN_SECRET_KEY_LENGTH = 32
_DAY_SECONDS, _YEAR_SECONDS = 86_400, 31_536_000
_FARTHEST_METERS = 20_100_000  # half round the Earth
EXECUTION_KEPT_DAYS = 90  # https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
RETENTION_DAYS = range(15, 36_501)  # reports.retention.MIN_DAYS to MAX_DAYS
OUTBOX_AGE_SECONDS = 60  # qu_workflows.tasks.resending.OLDER_THAN_SECONDS
_MAILS_FOR_NOBODY = {
    f"django.core.mail.backends.{name}.EmailBackend" for name in ("console", "dummy", "filebased", "locmem")
}


@register(Tags.security)
def check_settings(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:  # noqa: ARG001  Django's signature
    """Return what is wrong with the settings."""
    by_subject = (
        _stage,
        _secret_key,
        _database,
        _mail,
        _public_url,
        _files,
        _uploads,
        _retention,
        _stuck,
        _incidents,
        _evidence,
        _traces,
    )
    return [message for check in by_subject for message in check()]


def _in_production() -> bool:
    return bool(settings.STAGE == "production")


def _stage() -> Iterator[CheckMessage]:
    if settings.STAGE not in STAGES:
        yield Error(
            f"STAGE is {settings.STAGE!r}.", hint=f"Set STAGE to one of: {', '.join(STAGES)}.", id="config.E001"
        )
    if _in_production() and settings.DEBUG:
        yield Error("DJANGO_DEBUG is on in production.", hint="Unset DJANGO_DEBUG.", id="config.E002")
    if _in_production() and settings.THIS_MACHINE.issuperset(settings.ALLOWED_HOSTS):
        yield Error(
            "DJANGO_ALLOWED_HOSTS names no host but this machine: every request from elsewhere would be refused.",
            hint="Set DJANGO_ALLOWED_HOSTS to the names that people reach this site by, such as api.example.com.",
            id="config.E013",
        )


def _secret_key() -> Iterator[CheckMessage]:
    if settings.STAGE != "dev" and len(settings.SECRET_KEY) < MIN_SECRET_KEY_LENGTH:
        yield Error(
            "DJANGO_SECRET_KEY is too short: links and tokens could be forged.",
            hint=f"Set DJANGO_SECRET_KEY to at least {MIN_SECRET_KEY_LENGTH} random characters, the same everywhere.",
            id="config.E003",
        )


def _database() -> Iterator[CheckMessage]:
    if _in_production() and connection.vendor == "sqlite":
        yield Error(
            "DATABASE_URL names no PostgreSQL: production would write to a file beside the code.",
            hint="Set DATABASE_URL=postgres://user:password@host:5432/name.",
            id="config.E004",
        )


def _mail() -> Iterator[CheckMessage]:
    try:
        validate_email(settings.DEFAULT_FROM_EMAIL)
    except ValidationError:
        yield Error(
            f"DEFAULT_FROM_EMAIL is {settings.DEFAULT_FROM_EMAIL!r}, not an email address.",
            hint="Set DEFAULT_FROM_EMAIL to the address that SES may send from, such as noreply@qusecurity.com.",
            id="config.E005",
        )
    runs_workflows = not settings.USE_ASYNC_TASKS or settings.TASK_FALLBACK == "sync"
    by_django = not read_text("SENT_EMAILS_TABLE")  # with it the workflows here send by SES, as the functions do
    if (
        _in_production()
        and runs_workflows
        and by_django
        and settings.MAILERS["default"]["BACKEND"] in _MAILS_FOR_NOBODY
    ):
        yield Error(
            "EMAIL_BACKEND hands mails to nobody, and workflows that run in this process would send them by it.",
            hint="Set EMAIL_BACKEND=django.core.mail.backends.smtp.EmailBackend and EMAIL_HOST, "
            "or SENT_EMAILS_TABLE to send by SES, or USE_ASYNC_TASKS=True and TASK_FALLBACK=outbox.",
            id="config.E012",
        )


def _public_url() -> Iterator[CheckMessage]:
    url = urlsplit(settings.PUBLIC_URL)
    if url.scheme not in {"http", "https"} or not url.netloc or url.query or url.fragment:
        yield Error(
            f"PUBLIC_URL is {settings.PUBLIC_URL!r}, not the address of a site.",
            hint="Set PUBLIC_URL to where people reach this site, such as https://reports.example.com.",
            id="config.E006",
        )
    elif _in_production() and url.scheme != "https":
        yield Error(
            f"PUBLIC_URL is {settings.PUBLIC_URL!r}: the links in mails would be open to read on the way.",
            hint="Set PUBLIC_URL to an address that begins with https://.",
            id="config.E007",
        )


def _files() -> Iterator[CheckMessage]:
    if _in_production() and not settings.AWS_STORAGE_BUCKET_NAME:
        yield Error(
            "AWS_STORAGE_BUCKET_NAME is not set: the functions would not find the uploaded files.",
            hint="Set AWS_STORAGE_BUCKET_NAME to the bucket of this stage.",
            id="config.E008",
        )
    if not settings.AWS_STORAGE_BUCKET_NAME and settings.MEDIA_ROOT.name != settings.MEDIA_PREFIX.rstrip("/"):
        yield Error(
            f"DJANGO_MEDIA_ROOT ends in {settings.MEDIA_ROOT.name!r}, but keys begin with {settings.MEDIA_PREFIX}.",
            hint="Name the folder media, or set AWS_STORAGE_BUCKET_NAME.",
            id="config.E009",
        )
    if settings.USE_ASYNC_TASKS and not settings.AWS_STORAGE_BUCKET_NAME:
        yield checks.Warning(
            "USE_ASYNC_TASKS is on, but AWS_STORAGE_BUCKET_NAME is not set: functions elsewhere find no files.",
            hint="Set AWS_STORAGE_BUCKET_NAME to the bucket that the functions read.",
            id="config.W001",
        )


def _uploads() -> Iterator[CheckMessage]:
    limits = ("UPLOAD_MAX_FILES", "UPLOAD_MAX_FILE_BYTES", "UPLOAD_MAX_TOTAL_BYTES", "REPORT_LINK_DAYS")
    # The functions have no uploads, and so no limits of them.
    values = {name: getattr(settings, name) for name in limits if hasattr(settings, name)}
    for name, value in values.items():
        if value < 1:
            yield Error(f"{name} is {value}.", hint=f"Set {name} to 1 or more.", id="config.E010")
    if values.get("UPLOAD_MAX_FILE_BYTES", 0) > values.get("UPLOAD_MAX_TOTAL_BYTES", 0):
        yield Error(
            "UPLOAD_MAX_FILE_BYTES is more than UPLOAD_MAX_TOTAL_BYTES: no file of that size could come in.",
            hint="Set UPLOAD_MAX_TOTAL_BYTES to at least UPLOAD_MAX_FILE_BYTES.",
            id="config.E011",
        )


def _retention() -> Iterator[CheckMessage]:
    for name in ("RETENTION_REPORT_DAYS", "RETENTION_TASK_DAYS"):
        if getattr(settings, name) and getattr(settings, name) not in RETENTION_DAYS:
            yield Error(
                f"{name} is {getattr(settings, name)}: retention_sweep would refuse to run.",
                hint=f"Set {name} to {RETENTION_DAYS[0]} to {RETENTION_DAYS[-1]} days, or to 0 to keep for ever.",
                id="config.E014",
            )
    if 0 < settings.RETENTION_TASK_DAYS < EXECUTION_KEPT_DAYS:
        yield checks.Warning(
            f"RETENTION_TASK_DAYS is {settings.RETENTION_TASK_DAYS}: records would go before AWS forgets their "
            "executions, and what can still be looked into would not be found.",
            hint=f"Set RETENTION_TASK_DAYS to {EXECUTION_KEPT_DAYS} or more, or to 0 to keep for ever.",
            id="config.W002",
        )


def _stuck() -> Iterator[CheckMessage]:
    for name in ("STUCK_UNSENT_SECONDS", "STUCK_UNSTARTED_SECONDS", "STUCK_RUNNING_SECONDS", "STUCK_REMIND_SECONDS"):
        if not 1 <= getattr(settings, name) <= _YEAR_SECONDS:
            yield Error(
                f"{name} is {getattr(settings, name)}: every task would be stuck, or none.",
                hint=f"Set {name} to a number of seconds, 1 to {_YEAR_SECONDS}.",
                id="config.E015",
            )
    if 0 < settings.STUCK_UNSENT_SECONDS <= OUTBOX_AGE_SECONDS:
        yield checks.Warning(
            f"STUCK_UNSENT_SECONDS is {settings.STUCK_UNSENT_SECONDS}: send_outbox leaves tasks alone for "
            f"{OUTBOX_AGE_SECONDS} seconds, and each would be told of before that.",
            hint="Set STUCK_UNSENT_SECONDS to 300.",
            id="config.W003",
        )


def _traces() -> Iterator[CheckMessage]:
    if not 0 <= settings.TRACE_SAMPLED_PERCENT <= 100:
        yield Error(
            f"TRACE_SAMPLED_PERCENT is {settings.TRACE_SAMPLED_PERCENT}, which is no percentage.",
            hint="Set TRACE_SAMPLED_PERCENT to a number from 0 to 100.",
            id="config.E018",
        )


def _incidents() -> Iterator[CheckMessage]:
    answer, heartbeat = settings.INCIDENT_ANSWER_SECONDS, settings.INCIDENT_HEARTBEAT_SECONDS
    if not 0 < heartbeat < answer <= _DAY_SECONDS:
        yield Error(
            f"INCIDENT_HEARTBEAT_SECONDS is {heartbeat} and INCIDENT_ANSWER_SECONDS {answer}: a supervisor has at "
            f"most {_DAY_SECONDS} seconds to answer, and gives a sign of life before that.",
            hint="Set both above zero, and the heartbeat to less than the answer; "
            "the same in the functions, by the template's parameters.",
            id="config.E016",
        )


def _evidence() -> Iterator[CheckMessage]:
    for name, most in (("EVIDENCE_MAX_METERS", _FARTHEST_METERS), ("EVIDENCE_MAX_AGE_SECONDS", 10 * _YEAR_SECONDS)):
        if not 0 <= getattr(settings, name) <= most:
            yield Error(
                f"{name} is {getattr(settings, name)}: readers would be told of every file, or of none.",
                hint=f"Set {name} to at most {most}, or to 0 to compare nothing; "
                "the same in the functions, by the template's parameter.",
                id="config.E017",
            )
