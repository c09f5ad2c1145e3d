"""Multi-step background tasks for Django: SQS carries a task, Step Functions runs it."""

# For INSTALLED_APPS. A process without pages, such as a function, needs only the first four.
APPS = (
    "qu_workflows.records",
    "qu_workflows.tasks",
    "qu_workflows.executions",
    "qu_workflows.alerts",
    "qu_workflows.dead_letters",
    "qu_workflows.schedules",
    "qu_workflows.console",
    "qu_workflows.worker",
)
