"""Alarms for the template's queues, functions, state machines and schedules.

Each kind has a section on that page. Missing data is not an alarm: SQS, Lambda, Step Functions and EventBridge
Scheduler send no data when nothing happens.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from deploy.packages.functions import FUNCTIONS, Function
from deploy.packages.needs import NeedsInvalid
from deploy.template.cloudformation import Template
from workflows.project import PROJECT

PAGE = "docs/how-to/alarms.md"
NAMESPACE = "QUWorkflows"
# An alarm's metric math has at most ten metrics, and five machines have twenty: so the function that records final
# statuses counts for all of them.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-limits.html
ENDED, NOT_SUCCEEDED = "ExecutionsEnded", "ExecutionsNotSucceeded"
NOT_SUCCEEDED_METRICS = ("ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted")
ERROR_RATE_PERCENT = 1
# No division by zero when nothing ended.
ERROR_RATE = "IF(FILL(ended, 0) > 0, 100 * FILL(failed, 0) / ended, 0)"
NEAR_TIMEOUT = 0.8
# FILL gives the newest period 0 until its data arrives, so an alarm that looks at that period alone may never fire.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
LATE_PERIODS = 5
STACK = "${Prefix}-${Stage}"
SERVICE: Mapping[str, str] = {"service": STACK}


@dataclass(frozen=True)
class Metric:
    """One metric. Dimensions may contain template parameters, as in Fn::Sub."""

    namespace: str
    name: str
    dimensions: Mapping[str, str] = field(hash=False)
    statistic: str = "Sum"


@dataclass(frozen=True)
class Alarm:
    """One alarm: ``needed`` of the last ``periods`` exceed ``threshold``."""

    kind: str
    name: str
    words: str
    metrics: Mapping[str, Metric] = field(hash=False)
    expression: str = ""
    threshold: int | str = 0  # a str is the name of a parameter
    period_seconds: int = 300
    needed: int = 1
    periods: int = 1

    @property
    def resource(self) -> str:
        """The logical id: LoadReportErrorsAlarm for load_report-errors."""
        return "".join(word.capitalize() for word in re.split("[-_]", self.name)) + "Alarm"

    @property
    def description(self) -> str:
        """The text of the mail; it ends with a link to its section."""
        return f"{self.words} What to do: {PAGE}#alarm-{self.kind}"


def alarms(template: Template) -> list[Alarm]:
    """Return every alarm of the stack."""
    found = [*_of_queues(), *_of_schedules(), _error_rate()]
    for workflow in PROJECT.workflows:
        found += _of_machine(workflow)
    for function in FUNCTIONS:
        found += _of_function(function, timeout_seconds(template, function))
    return found


def timeout_seconds(template: Template, function: Function) -> int:
    """Return the Timeout of a function, or that of Globals.

    Raises NeedsInvalid for a function without a resource.
    """
    if function.resource not in template["Resources"]:
        problem = f"deploy/template.yaml has no {function.resource}."
        raise NeedsInvalid(function.handler, 1, problem, "Declare NEEDS = StepNeeds(…) in this module.")
    own = template["Resources"][function.resource]["Properties"]
    return int(own.get("Timeout", template["Globals"]["Function"]["Timeout"]))


def queue_metric(name: str, queue: str, statistic: str = "Maximum") -> Metric:
    """Return a metric of a queue."""
    return Metric("AWS/SQS", name, {"QueueName": queue}, statistic)


def machine_metric(name: str, workflow: str, statistic: str = "Sum") -> Metric:
    """Return a metric of all versions of a state machine."""
    arn = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:stateMachine:" + f"{STACK}-{workflow}"
    return Metric("AWS/States", name, {"StateMachineArn": arn}, statistic)


def function_metric(name: str, function: str, statistic: str = "Sum") -> Metric:
    """Return a metric of a function's alias ``live``, which receives every call."""
    full = f"{STACK}-{function}"
    return Metric("AWS/Lambda", name, {"FunctionName": full, "Resource": f"{full}:live"}, statistic)


TASKS_QUEUE, TASKS_DLQ = "${Prefix}-tasks-${Stage}", "${Prefix}-tasks-${Stage}-dlq"
STATUS_DLQ = "${Prefix}-status-events-${Stage}-dlq"
# Names of the groups and of their alarms.
SCHEDULE_GROUPS: Mapping[str, str] = {"schedules": "schedules", "tasks": "later-tasks"}


def _sum(*metrics: Metric) -> dict[str, Any]:
    """Return the arguments of an alarm for the sum of several metrics."""
    named = {f"m{number}": metric for number, metric in enumerate(metrics)}
    return {"metrics": named, "expression": " + ".join(f"FILL({name}, 0)" for name in named)}


def _of_queues() -> Iterator[Alarm]:
    visible = "ApproximateNumberOfMessagesVisible"
    for kind, queue, what in (
        ("tasks-dead-letters", TASKS_DLQ, "Messages that could not be dispatched"),
        ("status-events-dead-letters", STATUS_DLQ, "Status changes that could not be recorded"),
    ):
        yield Alarm(kind, kind, f"{what} are in a dead-letter queue.", {"m": queue_metric(visible, queue)})
    words = "A task has been in the queue for longer than StuckUnstartedSeconds."
    age = {"m": queue_metric("ApproximateAgeOfOldestMessage", TASKS_QUEUE)}
    yield Alarm("tasks-age", "tasks-age", words, age, "", "StuckUnstartedSeconds", 60, needed=3, periods=5)


def _of_schedules() -> Iterator[Alarm]:
    # https://docs.aws.amazon.com/scheduler/latest/UserGuide/monitoring-cloudwatch.html
    lost = ("InvocationDroppedCount", "InvocationsSentToDeadLetterCount", "InvocationsFailedToBeSentToDeadLetterCount")
    for group, alarm_name in SCHEDULE_GROUPS.items():
        of_group: Mapping[str, str] = {"ScheduleGroup": f"{STACK}-{group}"}
        words = f"EventBridge Scheduler dropped an invocation of the group {group}."
        summed = _sum(*(Metric("AWS/Scheduler", name, of_group) for name in lost))
        yield replace(Alarm("schedules-lost", f"{alarm_name}-lost", words, **summed), periods=LATE_PERIODS)
        words = f"The task queue refuses messages of the schedule group {group}; EventBridge Scheduler retries."
        errors = {"m": Metric("AWS/Scheduler", "TargetErrorCount", of_group)}
        # A single retried error is harmless.
        yield Alarm("schedules-errors", f"{alarm_name}-errors", words, errors, needed=2, periods=3)


def _error_rate() -> Alarm:
    words = f"More than {ERROR_RATE_PERCENT} % of the ended executions of all workflows did not succeed."
    metrics = {"failed": Metric(NAMESPACE, NOT_SUCCEEDED, SERVICE), "ended": Metric(NAMESPACE, ENDED, SERVICE)}
    return Alarm("error-rate", "error-rate", words, metrics, ERROR_RATE, ERROR_RATE_PERCENT, 900, periods=2)


def _of_machine(workflow: str) -> Iterator[Alarm]:
    # https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
    words = f"Executions of {workflow} failed, timed out or were stopped."
    summed = _sum(*(machine_metric(name, workflow) for name in NOT_SUCCEEDED_METRICS))
    # A canary deployment lasts only minutes.
    failed = Alarm("executions-failed", f"{workflow}-executions-failed", words, **summed, period_seconds=60)
    yield replace(failed, periods=LATE_PERIODS)
    words = f"Step Functions delays the transitions of {workflow}: the account's quota is exceeded."
    throttled = {"m": machine_metric("ExecutionThrottled", workflow)}
    # A burst is only delayed.
    yield Alarm("executions-throttled", f"{workflow}-executions-throttled", words, throttled, needed=2, periods=3)


def _of_function(function: Function, timeout: int) -> Iterator[Alarm]:
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    name = function.name
    metrics = {"m": function_metric("Errors", name)}
    # Errors has the time of the call, so a timeout appears as far in the past as it lasted.
    periods = LATE_PERIODS + timeout // 60
    # A single error is retried; if that fails too, executions-failed reports it.
    yield Alarm("function-errors", f"{name}-errors", f"{name} fails.", metrics, "", 0, 60, needed=2, periods=periods)
    words = f"Calls of {name} are throttled: its reserved concurrency or the account's is exhausted."
    metrics = {"m": function_metric("Throttles", name)}
    # Functions with a database have few instances: a burst of minutes is throttled by design, and retried.
    needed, periods = (6, 6) if function.needs_database else (2, 3)
    yield Alarm("function-throttles", f"{name}-throttles", words, metrics, needed=needed, periods=periods)
    words = f"The p99 duration of {name} exceeds {NEAR_TIMEOUT:.0%} of its timeout of {timeout} s."
    metrics = {"m": function_metric("Duration", name, "p99")}
    limit = round(timeout * 1000 * NEAR_TIMEOUT)  # milliseconds
    yield Alarm("function-duration", f"{name}-duration", words, metrics, "", limit, needed=2, periods=3)
