"""The schedules of this project, declared once.

``make states`` renders them into ``deploy/template.yaml``. To add one: add a ``Schedule`` to ``SCHEDULES``
and run ``make states``.
"""

from collections.abc import Mapping
from types import MappingProxyType

from qu_workflows.protocol.schedule import Overlap, RetryPolicy, Schedule

HOUR_SECONDS = 3600

SCHEDULES: tuple[Schedule, ...] = (
    Schedule(
        name="daily_report_digest",
        task="daily_report_digest",
        expression="cron(0 7 * * ? *)",
        time_zone="America/New_York",
        description="Mails each client a digest of yesterday's reports.",
        flexible_window_minutes=15,
        overlap=Overlap.SKIP,
        start_deadline_seconds=12 * HOUR_SECONDS,
    ),
    Schedule(
        name="retention_sweep",
        task="retention_sweep",
        expression="cron(30 3 * * ? *)",
        time_zone="America/New_York",
        description="Removes reports, files and task records after their retention period.",
        flexible_window_minutes=60,
        overlap=Overlap.SKIP,
        start_deadline_seconds=12 * HOUR_SECONDS,
    ),
    Schedule(
        name="send_outbox",
        task="send_outbox",
        expression="rate(1 minute)",
        description="Sends tasks that were recorded but not sent.",
        # The next minute's run replaces a failed one.
        retry_policy=RetryPolicy(maximum_retry_attempts=2, maximum_event_age_seconds=60),
        overlap=Overlap.SKIP,
        # No deadline: behind a long queue every run is late, and would be skipped.
    ),
    Schedule(
        name="watch_stuck",
        task="watch_stuck",
        expression="rate(5 minutes)",
        description="Reports executions and messages that are older than they should be to operations.",
        retry_policy=RetryPolicy(maximum_retry_attempts=2, maximum_event_age_seconds=300),
        overlap=Overlap.SKIP,
        # No deadline: it has to report a long queue.
    ),
    Schedule(
        name="sample_histories",
        task="sample_histories",
        expression="rate(5 minutes)",
        description="Keeps samples of executions: the duration of their states and the paths they take.",
        retry_policy=RetryPolicy(maximum_retry_attempts=2, maximum_event_age_seconds=300),
        overlap=Overlap.SKIP,
        start_deadline_seconds=600,
    ),
)
SCHEDULES_BY_NAME: Mapping[str, Schedule] = MappingProxyType({schedule.name: schedule for schedule in SCHEDULES})
