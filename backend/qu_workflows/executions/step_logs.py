"""Reads a step's log of one task, from CloudWatch Logs or a local file.

The functions write JSON lines that contain the task's id; Lambda's own lines do not, and are left out. Lines arrive
some seconds late.
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.utils.dateparse import parse_datetime

from qu_workflows.aws import clients as aws
from qu_workflows.aws.pacing import THROTTLED

MOST_LINES = 200
_MOST_CALLS = 5  # an empty page may precede others
_BEFORE, _AFTER = timedelta(seconds=2), timedelta(minutes=2)  # clocks differ, and a crash is logged late
_READ_BYTES = 8 * 1024 * 1024  # of the end of the local file
_NAME = re.compile(r"(?:.*:function:|.*:)?(?P<name>[\w-]+?)(?::(?:[\w-]+|\$LATEST))?")
_KNOWN = frozenset({"level", "message", "timestamp", "location", "service", "task_id", "function_request_id"})


@dataclass(frozen=True)
class LogLine:
    """One line. ``details`` are its JSON keys besides message and metadata."""

    at: datetime | None
    level: str
    message: str
    details: Mapping[str, Any]


@dataclass(frozen=True)
class StepLog:
    """Lines of a step, oldest first, from the log group or file ``where``.

    ``cut``: there may be more than ``MOST_LINES``. ``unanswered`` says why they could not be read, or "".
    """

    where: str = ""
    lines: tuple[LogLine, ...] = ()
    cut: bool = False
    unanswered: str = ""


def function_of(resource: str, parameters: str | None) -> str:
    """Return the name of the function called by an ``EntryDetails``, "" if it called none."""
    reference = resource if ":lambda:" in resource and ":function:" in resource else ""
    if resource.startswith("lambda:"):
        try:
            given = json.loads(parameters or "{}")
        except ValueError:
            given = {}
        reference = str(given.get("FunctionName", "")) if isinstance(given, dict) else ""
    found = _NAME.fullmatch(reference)
    return found["name"] if found else ""


def step_log(task_id: str, function: str, since: datetime, until: datetime) -> StepLog:
    """Return what a function logged about a task in a period. Never raises."""
    if settings.FUNCTIONS_LOG_FILE:
        return _of_file(Path(settings.FUNCTIONS_LOG_FILE), task_id, function, since - _BEFORE, until + _AFTER)
    return _of_cloudwatch(task_id, function, since - _BEFORE, until + _AFTER)


def _of_cloudwatch(task_id: str, function: str, since: datetime, until: datetime) -> StepLog:
    group = f"/aws/lambda/{function}"
    asked: dict[str, Any] = {
        "logGroupName": group,
        "filterPattern": f'"{task_id}"',
        "startTime": int(since.timestamp() * 1000),
        "endTime": int(until.timestamp() * 1000),
        "limit": MOST_LINES,
    }
    lines: list[LogLine] = []
    try:
        for _call in range(_MOST_CALLS):
            page = aws.logs().filter_log_events(**asked)
            lines += [_line(one["message"], _at(one["timestamp"])) for one in page.get("events", [])]
            if len(lines) >= MOST_LINES or not page.get("nextToken"):
                break
            asked["nextToken"] = page["nextToken"]
    except BotoCoreError as error:
        return StepLog(group, unanswered=f"CloudWatch Logs was not reached: {error}.")
    except ClientError as error:
        return StepLog(group, unanswered=_refusal(group, error))
    return StepLog(group, tuple(lines[:MOST_LINES]), cut=bool(page.get("nextToken")))


def _refusal(group: str, error: ClientError) -> str:
    code, said = error.response["Error"]["Code"], error.response["Error"].get("Message", "").rstrip(".")
    if code == "ResourceNotFoundException":
        return f"There is no log group {group}: the function has logged nothing yet, or its stack was deleted."
    if code in THROTTLED or code == "LimitExceededException":
        return "CloudWatch Logs throttles the calls. Try again in a few seconds."
    return f"CloudWatch Logs: {code}: {said}. Allow logs:FilterLogEvents, as in the policy OperatorPolicyArn."


def _of_file(path: Path, task_id: str, function: str, since: datetime, until: datetime) -> StepLog:
    try:
        text = _end_of(path)
    except OSError as error:
        return StepLog(str(path.name), unanswered=f"FUNCTIONS_LOG_FILE cannot be read: {error.strerror}.")
    lines = [line for line in _lines_about(text, task_id, function) if line.at is None or since <= line.at <= until]
    return StepLog(path.name, tuple(lines[:MOST_LINES]), cut=len(lines) > MOST_LINES)


def _end_of(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _READ_BYTES))
        return file.read().decode(errors="replace")


def _lines_about(text: str, task_id: str, function: str) -> Iterator[LogLine]:
    """Yield a function's lines about a task; each line begins with the function's name."""
    for line in text.splitlines():
        name, _, said = line.partition(" ")
        if task_id in said and (name == function or name.endswith(f"-{function}")):
            yield _line(said, None)


def _line(text: str, at: datetime | None) -> LogLine:
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        return LogLine(at, "", text.rstrip("\n"), {})
    written = str(said.get("timestamp", "")).replace(",", ".", 1)
    details = {key: value for key, value in said.items() if key not in _KNOWN}
    return LogLine(at or _moment(written), str(said.get("level", "")), str(said.get("message", "")), details)


def _at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _moment(text: str) -> datetime | None:
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo else None
