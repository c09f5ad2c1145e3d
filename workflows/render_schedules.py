"""Renders ``workflows.schedules`` into the region of the SAM template that is theirs; the rest stays as it is.

The region is text, not data, so that the template's comments and short forms stay what people wrote.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-scheduler-schedule.html
"""

import json
import re
from collections.abc import Iterable

from qu_workflows.protocol.message import write_scheduled_message
from qu_workflows.protocol.schedule import Schedule

TEMPLATE_FILE = "deploy/template.yaml"
BEGIN = "  # ---- Schedules of tasks, rendered from workflows/schedules.py: make states ----\n"
END = "  # ---- End of the schedules of tasks ----\n"
GROUP = """
  Schedules:
    Type: AWS::Scheduler::ScheduleGroup
    Properties:
      Name: !Sub "${Prefix}-${Stage}-schedules"
"""
SCHEDULE = """
  {logical_id}:
    Type: AWS::Scheduler::Schedule
    Properties:
      Name: "{name}"
      GroupName: !Ref Schedules
      Description: {description}
      ScheduleExpression: {expression}
      ScheduleExpressionTimezone: {time_zone}
      FlexibleTimeWindow: {window}
      State: !Ref SchedulesState
      Target:
        Arn: !GetAtt TasksQueue.Arn
        RoleArn: !GetAtt SchedulerRole.Arn
        Input: {message}
        RetryPolicy: {{ MaximumRetryAttempts: {attempts}, MaximumEventAgeInSeconds: {age_seconds} }}
        DeadLetterConfig: {{ Arn: !GetAtt {dead_letter_queue}.Arn }}
"""
# YAML would fold some of these, and refuse others.
_NOT_PRINTABLE = re.compile(r"[^ -~]")


class RegionMissing(ValueError):
    """The template has no place for the schedules, or more than one."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return (
            f"{self.path}: has not one region for the schedules. "
            f"Put these two lines among its resources:\n{BEGIN}{END}".rstrip()
        )


def with_schedules(template: str, schedules: Iterable[Schedule]) -> str:
    """Return a template's text with the schedules in their region. Raises RegionMissing."""
    before, begin, rest = template.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in after or END in before + after:
        raise RegionMissing(TEMPLATE_FILE)
    return before + begin + GROUP + "".join(map(_resource, schedules)) + "\n" + end + after


def logical_id_of(name: str) -> str:
    """Return the resource of a schedule: send_outbox is SendOutboxSchedule."""
    return "".join(word.capitalize() for word in name.split("_")) + "Schedule"


def _resource(schedule: Schedule) -> str:
    minutes = schedule.flexible_window_minutes
    return SCHEDULE.format(
        logical_id=logical_id_of(schedule.name),
        name=schedule.name,
        description=_quoted(schedule.description),
        expression=_quoted(schedule.expression),
        time_zone=_quoted(schedule.time_zone),
        # OFF without quotes is YAML's false.
        window=f"{{ Mode: FLEXIBLE, MaximumWindowInMinutes: {minutes} }}" if minutes else '{ Mode: "OFF" }',
        message=_single_quoted(write_scheduled_message(schedule)),
        attempts=schedule.retry_policy.maximum_retry_attempts,
        age_seconds=schedule.retry_policy.maximum_event_age_seconds,
        dead_letter_queue=schedule.dead_letter_queue,
    )


def _quoted(text: str) -> str:
    """Return a text in YAML's double quotes, escaped to ASCII."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + _NOT_PRINTABLE.sub(lambda match: f"\\U{ord(match[0]):08x}", escaped) + '"'


def _single_quoted(text: str) -> str:
    """Return a JSON text in YAML's single quotes, in which it stays readable, escaped to ASCII."""
    escaped = _NOT_PRINTABLE.sub(lambda match: json.dumps(match[0])[1:-1].replace("\x7f", "\\u007f"), text)
    return "'" + escaped.replace("'", "''") + "'"
