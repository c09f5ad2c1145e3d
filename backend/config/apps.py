"""App configuration of the project."""

from importlib.util import find_spec

from django.apps import AppConfig


class ProjectConfig(AppConfig):
    """Checks of the settings, redacted logs, and the runner of workflows without a queue."""

    name = "config"

    def ready(self) -> None:
        """Register the checks and redact logs; register the runner if the engine is installed."""
        from config import checks  # noqa: F401  importing it registers them
        from config.redaction import redact_logs

        redact_logs()

        if find_spec("asl_engine") is None:
            return
        from config.steps import in_process_handlers, step_handlers, write_payload
        from qu_workflows.protocol.project import register_runner, register_steps
        from qu_workflows.tasks.without_queue import InProcessRunner

        register_runner(InProcessRunner(in_process_handlers, write_payload))
        register_steps(step_handlers)
