"""Imports of a function before its first event, and tracing."""

import subprocess
import sys

import pytest

from lambdas.shared.runtime.powertools import tracing_is_on

REPORT = """
import os, sys
os.environ.update(dict(pair.split("=") for pair in sys.argv[1:]))
from lambdas.shared.runtime.powertools import traced


def handler(event, context): ...


wrapped = traced(handler)
heavy = ("aws_xray_sdk", "boto3", "botocore.session", "django", "pydantic")
print("as it is" if wrapped is handler else "traced", [name for name in heavy if name in sys.modules])
"""


def imported_with(*environment: str) -> str:
    run = subprocess.run([sys.executable, "-c", REPORT, *environment], capture_output=True, text=True, check=True)
    return run.stdout.strip()


def test_without_tracing_the_sdk_is_not_imported() -> None:
    assert imported_with() == "as it is []"


def test_in_lambda_a_handler_is_traced() -> None:
    lambda_environment = ("LAMBDA_TASK_ROOT=/var/task", "AWS_XRAY_DAEMON_ADDRESS=127.0.0.1:2000")

    # POWERTOOLS_TRACE_DISABLED comes with this test run's environment.
    assert imported_with(*lambda_environment, "POWERTOOLS_TRACE_DISABLED=false").startswith("traced")


@pytest.mark.parametrize(
    ("environment", "is_on"),
    [
        ({}, False),
        ({"LAMBDA_TASK_ROOT": "/var/task"}, False),
        ({"LAMBDA_TASK_ROOT": "/var/task", "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000"}, True),
        (
            {
                "LAMBDA_TASK_ROOT": "/var/task",
                "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
                "POWERTOOLS_TRACE_DISABLED": "true",
            },
            False,
        ),
    ],
)
def test_tracing_needs_a_daemon(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], is_on: bool) -> None:
    for name in ("LAMBDA_TASK_ROOT", "AWS_XRAY_DAEMON_ADDRESS", "POWERTOOLS_TRACE_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert tracing_is_on() is is_on
