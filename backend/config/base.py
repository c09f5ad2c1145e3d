"""Settings that the web process and the functions share. Every value comes from the environment."""

from pathlib import Path

import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from config.environment import read_bool, read_int, read_list, read_secret, read_text

BASE_DIR = Path(__file__).resolve().parent.parent
LOCAL_DIR = BASE_DIR.parent / ".local"

STAGE = read_text("STAGE", "dev")  # dev or production
DEBUG = read_bool("DJANGO_DEBUG", default=False)
THIS_MACHINE = frozenset({"127.0.0.1", "localhost", "[::1]"})
ALLOWED_HOSTS = read_list("DJANGO_ALLOWED_HOSTS", "127.0.0.1,localhost")
SECRET_KEY = read_secret("DJANGO_SECRET_KEY")
# This key is public: for development on one machine only.
DEVELOPMENT_KEY = "dev-only-not-a-secret-" + "0" * 32
if not SECRET_KEY and STAGE == "dev" and THIS_MACHINE.issuperset(ALLOWED_HOSTS):
    SECRET_KEY = DEVELOPMENT_KEY
if not SECRET_KEY:  # Django's own error would not name the variable
    raise ImproperlyConfigured(
        "DJANGO_SECRET_KEY is not set. Set it to at least 32 random characters, the same in all processes."
    )

# SQLite queues a transaction that locks at its start, and refuses one that locks later.
SQLITE_OPTIONS = {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": "PRAGMA journal_mode=WAL;"}
DATABASES = {
    "default": dj_database_url.parse(
        read_secret("DATABASE_URL") or f"sqlite:///{BASE_DIR / 'db.sqlite3'}",
        conn_max_age=read_int("DATABASE_CONN_MAX_AGE_SECONDS", 60),
        conn_health_checks=True,
    )
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = SQLITE_OPTIONS
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    "shared": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "shared_cache"},
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "qu_workflows.records",
    "qu_workflows.tasks",
    "qu_workflows.executions",
    "qu_workflows.alerts",
    "common",
    "core",
    "reports",
    "incidents",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("es", _("Spanish"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = read_text("DJANGO_TIME_ZONE", "America/New_York")
USE_I18N = True
USE_TZ = True

# AWS. boto3 itself reads AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_<SERVICE>, for the local stack.
AWS_REGION = read_text("AWS_SQS_REGION") or read_text("AWS_REGION") or read_text("AWS_DEFAULT_REGION") or "us-east-2"
USE_ASYNC_TASKS = read_bool("USE_ASYNC_TASKS")
AWS_SQS_QUEUE_URL = read_text("AWS_SQS_QUEUE_URL")
AWS_SQS_DLQ_URL = read_text("AWS_SQS_DLQ_URL")
AWS_SQS_REGION = AWS_REGION
AWS_STORAGE_BUCKET_NAME = read_text("AWS_STORAGE_BUCKET_NAME")
AWS_SCHEDULER_ROLE_ARN = read_text("AWS_SCHEDULER_ROLE_ARN")
AWS_SCHEDULER_GROUP_NAME = read_text("AWS_SCHEDULER_GROUP_NAME", "default")
AWS_SCHEDULES_GROUP_NAME = read_text("AWS_SCHEDULES_GROUP_NAME", "default")  # of workflows.schedules
TASK_FALLBACK = read_text("TASK_FALLBACK", "outbox")  # outbox or sync
# On Lambda (Zappa) threads are frozen after the response: off there.
TASK_SEND_IN_BACKGROUND = read_bool("TASK_SEND_IN_BACKGROUND", default=not read_text("AWS_LAMBDA_FUNCTION_NAME"))
WORKFLOW_ENGINE = read_text("WORKFLOW_ENGINE", "step_functions")  # or worker: manage.py run_worker
WORKER_ADDRESS = read_text("WORKER_ADDRESS", "127.0.0.1:8084")
WORKER_DATABASE = read_text("WORKER_DATABASE", str(LOCAL_DIR / "executions.sqlite3"))
TASKS = {"default": {"BACKEND": "qu_workflows.tasks.backends.StepFunctionsBackend", "QUEUES": []}}

# Files. A full key is MEDIA_PREFIX and the file's name. Without a bucket, keys are paths in MEDIA_ROOT's parent.
MEDIA_PREFIX = "media/"
MEDIA_ROOT = Path(read_text("DJANGO_MEDIA_ROOT") or LOCAL_DIR / "files" / "media")
SIGNED_URL_SECONDS = 3600


def _files(prefix: str) -> dict[str, object]:
    if not AWS_STORAGE_BUCKET_NAME:
        return {"BACKEND": "reports.files.storage.SignedFileSystemStorage", "OPTIONS": {"prefix": prefix}}
    options = {
        "bucket_name": AWS_STORAGE_BUCKET_NAME,
        "location": prefix,
        "region_name": AWS_REGION,
        "querystring_expire": SIGNED_URL_SECONDS,
        # Names have a random part: this needs no HEAD before each PUT, and no right to list the bucket.
        "file_overwrite": True,
        "default_acl": None,
        "signature_version": "s3v4",
    }
    return {"BACKEND": "reports.files.s3_storage.SignedS3Storage", "OPTIONS": options}


STORAGES = {
    "default": _files(MEDIA_PREFIX),
    "objects": _files(""),  # names are full keys: thumbnails
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

# Mail
DEFAULT_FROM_EMAIL = read_text("DEFAULT_FROM_EMAIL", "noreply@qusecurity.com")
PUBLIC_URL = read_text("PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/")  # of links in mails
REPORT_LINK_DAYS = read_int("REPORT_LINK_DAYS", 30)

# Evidence: a photo or video taken farther from its report, or longer before it, is reported to readers.
EVIDENCE_MAX_METERS = read_int("EVIDENCE_MAX_METERS", 500)
EVIDENCE_MAX_AGE_SECONDS = read_int("EVIDENCE_MAX_AGE_SECONDS", 86_400)

# Incidents: a supervisor's time to acknowledge, and until the first heartbeat.
INCIDENT_ANSWER_SECONDS = read_int("INCIDENT_ANSWER_SECONDS", 900)
INCIDENT_HEARTBEAT_SECONDS = read_int("INCIDENT_HEARTBEAT_SECONDS", 300)

# Retention: 0 keeps everything. RETENTION_DRY_RUN removes nothing.
RETENTION_REPORT_DAYS = read_int("RETENTION_REPORT_DAYS", 1095)
RETENTION_TASK_DAYS = read_int("RETENTION_TASK_DAYS", 180)
RETENTION_DRY_RUN = not read_text("RETENTION_DRY_RUN") or read_bool(
    "RETENTION_DRY_RUN"
)  # on unless it is switched off explicitly

# Stuck: older tasks are reported to the group "Operations" in one mail, and again after STUCK_REMIND_SECONDS.
STUCK_UNSENT_SECONDS = read_int("STUCK_UNSENT_SECONDS", 300)
STUCK_UNSTARTED_SECONDS = read_int("STUCK_UNSTARTED_SECONDS", 900)
STUCK_RUNNING_SECONDS = read_int("STUCK_RUNNING_SECONDS", 5 * 3600)
STUCK_REMIND_SECONDS = read_int("STUCK_REMIND_SECONDS", 86_400)

# The percentage of tasks that X-Ray traces.
TRACE_SAMPLED_PERCENT = read_int("TRACE_SAMPLED_PERCENT", 5)


def _mailer() -> dict[str, object]:
    """Return the mail backend of workflows in this process; the functions use SES."""
    usual = "smtp" if STAGE == "production" else "filebased"
    backend = read_text("EMAIL_BACKEND", f"django.core.mail.backends.{usual}.EmailBackend")
    options: dict[str, object] = {}
    if backend.endswith("filebased.EmailBackend"):
        options = {"file_path": read_text("EMAIL_FILE_PATH") or str(LOCAL_DIR / "mails")}
    elif backend.endswith("smtp.EmailBackend"):
        options = {
            "host": read_text("EMAIL_HOST", "127.0.0.1"),
            "port": read_int("EMAIL_PORT", 25),
            "username": read_text("EMAIL_HOST_USER"),
            "password": read_text("EMAIL_HOST_PASSWORD"),
            "use_tls": read_bool("EMAIL_USE_TLS"),
            "timeout": 15,
        }
    return {"BACKEND": backend, "OPTIONS": options}


MAILERS = {"default": _mailer()}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {
        name: {"handlers": ["console"], "level": read_text("TASK_LOG_LEVEL", "INFO")}
        for name in (
            "common.tasks",
            "common.services.sqs_client",
            "qu_workflows",
            "reports.retention",
            "core",
        )
    },
}
