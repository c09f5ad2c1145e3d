"""Alarms for the template's queues, functions, state machines and schedules.

Each kind has a section in the runbook. Missing data is not an alarm: SQS, Lambda, Step Functions and EventBridge
Scheduler send no data when nothing happens.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from deploy.packages.functions import FUNCTIONS, Function
from deploy.template.cloudformation import Template
from workflows.project import PROJECT

RUNBOOK = "deploy/RUNBOOK.md"
NAMESPACE = "QUWorkflows"
# An alarm's metric math has at most ten metrics, and five machines have twenty: so the function that records final
# statuses counts for all of them.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-limits.html
ENDED, NOT_SUCCEEDED = "ExecutionsEnded", "ExecutionsNotSucceeded"
ERROR_RATE_PERCENT = 1
NEAR_TIMEOUT = 0.8
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
        """The text of the mail; it ends with a link to the runbook's section."""
        return f"{self.words} What to do: {RUNBOOK}#alarm-{self.kind}"


def alarms(template: Template) -> list[Alarm]:
    """Return every alarm of the stack."""
    found = [*_of_queues(), *_of_schedules(), _error_rate()]
    for workflow in PROJECT.workflows:
        found += _of_machine(workflow)
    for function in FUNCTIONS:
        found += _of_function(function, timeout_seconds(template, function))
    return found


def timeout_seconds(template: Template, function: Function) -> int:
    """Return the Timeout of a function, or that of Globals."""
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


def _of_queues() -> Iterator[Alarm]:
    visible = "ApproximateNumberOfMessagesVisible"
    for kind, queue, what in (
        ("tasks-dead-letters", TASKS_DLQ, "Messages that could not be dispatched"),
        ("status-events-dead-letters", STATUS_DLQ, "Status changes that could not be recorded"),
    ):
        metrics = {"m": queue_metric(visible, queue)}
        yield Alarm(kind, kind, f"{what} are in a dead-letter queue.", metrics)
    yield Alarm(
        kind="tasks-age",
        name="tasks-age",
        words="A task has been in the queue for longer than StuckUnstartedSeconds.",
        metrics={"m": queue_metric("ApproximateAgeOfOldestMessage", TASKS_QUEUE)},
        threshold="StuckUnstartedSeconds",
        period_seconds=60,
        needed=3,
        periods=5,
    )


def _of_schedules() -> Iterator[Alarm]:
    # https://docs.aws.amazon.com/scheduler/latest/UserGuide/monitoring-cloudwatch.html
    for group, alarm_name in SCHEDULE_GROUPS.items():
        of_group: Mapping[str, str] = {"ScheduleGroup": f"{STACK}-{group}"}
        lost = (
            "InvocationDroppedCount",
            "InvocationsSentToDeadLetterCount",
            "InvocationsFailedToBeSentToDeadLetterCount",
        )
        yield Alarm(
            kind="schedules-lost",
            name=f"{alarm_name}-lost",
            words=f"EventBridge Scheduler dropped an invocation of the group {group}.",
            metrics={f"m{number}": Metric("AWS/Scheduler", name, of_group) for number, name in enumerate(lost)},
            expression=" + ".join(f"FILL(m{number}, 0)" for number in range(len(lost))),
        )
        yield Alarm(
            kind="schedules-errors",
            name=f"{alarm_name}-errors",
            words=f"The task queue refuses messages of the schedule group {group}; EventBridge Scheduler retries.",
            metrics={"m": Metric("AWS/Scheduler", "TargetErrorCount", of_group)},
            needed=2,  # a single retried error is harmless
            periods=3,
        )


def _error_rate() -> Alarm:
    return Alarm(
        kind="error-rate",
        name="error-rate",
        words=f"More than {ERROR_RATE_PERCENT} % of the ended executions of all workflows did not succeed.",
        metrics={"failed": Metric(NAMESPACE, NOT_SUCCEEDED, SERVICE), "ended": Metric(NAMESPACE, ENDED, SERVICE)},
        # No division by zero when nothing ended.
        expression="IF(FILL(ended, 0) > 0, 100 * FILL(failed, 0) / ended, 0)",
        threshold=ERROR_RATE_PERCENT,
        period_seconds=900,
    )


def _of_machine(workflow: str) -> Iterator[Alarm]:
    # https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
    bad = ("ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted")
    yield Alarm(
        kind="executions-failed",
        name=f"{workflow}-executions-failed",
        words=f"Executions of {workflow} failed, timed out or were stopped.",
        metrics={f"m{number}": machine_metric(name, workflow) for number, name in enumerate(bad)},
        expression=" + ".join(f"FILL(m{number}, 0)" for number in range(len(bad))),
        period_seconds=60,  # a canary deployment lasts only minutes
    )
    yield Alarm(
        kind="executions-throttled",
        name=f"{workflow}-executions-throttled",
        words=f"Step Functions delays the transitions of {workflow}: the account's quota is exceeded.",
        metrics={"m": machine_metric("ExecutionThrottled", workflow)},
        needed=2,  # a burst is only delayed
        periods=3,
    )


def _of_function(function: Function, timeout: int) -> Iterator[Alarm]:
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    name = function.name
    yield Alarm(
        kind="function-errors",
        name=f"{name}-errors",
        words=f"{name} fails.",
        metrics={"m": function_metric("Errors", name)},
        period_seconds=60,
        needed=2,  # one error is retried; if that fails too, executions-failed reports it
        periods=5,
    )
    yield Alarm(
        kind="function-throttles",
        name=f"{name}-throttles",
        words=f"Calls of {name} are throttled: its reserved concurrency or the account's is exhausted.",
        metrics={"m": function_metric("Throttles", name)},
        # Functions with a database have few instances: a burst of minutes is throttled by design, and retried.
        needed=6 if function.needs_database else 2,
        periods=6 if function.needs_database else 3,
    )
    yield Alarm(
        kind="function-duration",
        name=f"{name}-duration",
        words=f"The p99 duration of {name} exceeds {NEAR_TIMEOUT:.0%} of its timeout of {timeout} s.",
        metrics={"m": function_metric("Duration", name, "p99")},
        threshold=round(timeout * 1000 * NEAR_TIMEOUT),  # milliseconds
        needed=2,
        periods=3,
    )
