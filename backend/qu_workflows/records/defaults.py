"""Defaults of the platform's settings, for a project that does not set them."""

from django.conf import settings

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
    "IN_PROCESS_WORKFLOWS": "thread",
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
}


def set_defaults() -> None:
    """Give each setting that is missing or None its default. Called once, when the apps are ready."""
    for name, value in DEFAULTS.items():
        if getattr(settings, name, None) is None:
            setattr(settings, name, value)
