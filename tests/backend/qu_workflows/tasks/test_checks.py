from typing import Any

import pytest
from django.core.checks import run_checks
from django.tasks import default_task_backend
from pytest_django import Settings

from qu_workflows.tasks.checks import check_catalog, check_settings

GOOD = {
    "USE_ASYNC_TASKS": True,
    "TASK_FALLBACK": "outbox",
    "AWS_SQS_QUEUE_URL": "https://sqs.us-east-2.amazonaws.com/123456789012/tasks",
    "AWS_SQS_DLQ_URL": "https://sqs.us-east-2.amazonaws.com/123456789012/tasks-dlq",
    "AWS_SQS_REGION": "us-east-2",
    "AWS_SCHEDULER_ROLE_ARN": "arn:aws:iam::123456789012:role/scheduler",
}


def found(settings: Settings, **changes: Any) -> dict[str, str]:
    """Return the checks' messages and hints by id."""
    for name, value in (GOOD | changes).items():
        setattr(settings, name, value)
    return {str(message.id): f"{message.msg} {message.hint}" for message in check_settings()}


def test_settings_that_fit_together_are_no_problem(settings: Settings) -> None:
    assert found(settings) == {}


@pytest.mark.parametrize(
    ("changes", "problem", "named"),
    [
        ({"AWS_SQS_QUEUE_URL": ""}, "executions.E001", "AWS_SQS_QUEUE_URL"),
        ({"TASK_FALLBACK": "later"}, "executions.E002", "TASK_FALLBACK=outbox"),
        ({"TASK_FALLBACK": "later", "USE_ASYNC_TASKS": False}, "executions.E002", "TASK_FALLBACK=outbox"),
        ({"AWS_SQS_QUEUE_URL": "tasks"}, "executions.E003", "AWS_SQS_QUEUE_URL="),
        ({"AWS_SQS_DLQ_URL": "https://example.com/tasks"}, "executions.E003", "AWS_SQS_DLQ_URL="),
        ({"AWS_SQS_REGION": "us-east-1"}, "executions.E004", "AWS_SQS_REGION"),
        ({"AWS_SQS_DLQ_URL": GOOD["AWS_SQS_QUEUE_URL"]}, "executions.E005", "AWS_SQS_DLQ_URL"),
        ({"AWS_SQS_QUEUE_URL": f"{GOOD['AWS_SQS_QUEUE_URL']}.fifo"}, "executions.E010", "FIFO"),
        ({"AWS_SCHEDULER_ROLE_ARN": "scheduler"}, "executions.E011", "AWS_SCHEDULER_ROLE_ARN=arn:"),
        ({"AWS_SCHEDULER_ROLE_ARN": ""}, "executions.I001", "resend_tasks"),
    ],
)
def test_each_problem_names_the_setting_and_what_to_set(
    settings: Settings, changes: dict[str, Any], problem: str, named: str
) -> None:
    assert named in found(settings, **changes)[problem]


def test_a_local_queue_is_in_no_region(settings: Settings) -> None:
    assert (
        found(
            settings,
            AWS_SQS_QUEUE_URL="http://127.0.0.1:4566/000000000000/tasks",
            AWS_SQS_REGION="eu-west-1",
            AWS_SQS_DLQ_URL="",
        )
        == {}
    )


def test_a_task_that_the_catalog_does_not_have_is_an_error() -> None:
    messages = {str(message.id): message.msg for message in check_catalog()}

    assert messages["executions.E007"].startswith("Task tests.backend.qu_workflows.sample.tasks.")
    assert "executions.E008" not in messages


def test_djangos_own_check_runs_the_backends() -> None:
    ids = {message.id for message in run_checks()}

    assert "executions.E007" in ids
    assert ids >= {message.id for message in default_task_backend.check()}
