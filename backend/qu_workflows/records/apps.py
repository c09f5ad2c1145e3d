"""The app's configuration, and the defaults of the platform's settings."""

from django.apps import AppConfig
from django.conf import settings
from django.utils.translation import gettext_lazy as _

DEFAULTS: dict[str, object] = {
    "AWS_REGION": "us-east-1",
    "AWS_SCHEDULER_GROUP_NAME": "default",
    "AWS_SCHEDULER_ROLE_ARN": "",
    "AWS_SCHEDULES_GROUP_NAME": "default",
    "AWS_SQS_DLQ_URL": "",
    "AWS_SQS_QUEUE_URL": "",
    "AWS_SQS_REGION": "us-east-1",
    "AWS_STORAGE_BUCKET_NAME": "",
    "FUNCTIONS_LOG_FILE": "",
    "PUBLIC_URL": "http://127.0.0.1:8000",
    "STAGE": "dev",
    "STUCK_REMIND_SECONDS": 86_400,
    "STUCK_RUNNING_SECONDS": 5 * 3600,
    "STUCK_UNSENT_SECONDS": 300,
    "STUCK_UNSTARTED_SECONDS": 900,
    "TASK_FALLBACK": "outbox",
    "TASK_SEND_IN_BACKGROUND": True,
    "TRACE_SAMPLED_PERCENT": 5,
    "USE_ASYNC_TASKS": False,
    "WORKER_ADDRESS": "127.0.0.1:8084",
    "WORKER_DATABASE": ".local/executions.sqlite3",
    "WORKFLOW_ENGINE": "step_functions",
}


class RecordsConfig(AppConfig):
    """The tables."""

    name = "qu_workflows.records"
    label = "executions"  # its tables and permissions had this name before they had this app
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = _("Executions")

    def ready(self) -> None:
        """Give each setting that the project does not set its default."""
        for name, value in DEFAULTS.items():
            if getattr(settings, name, None) is None:
                setattr(settings, name, value)
