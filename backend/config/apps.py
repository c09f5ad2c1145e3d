"""App configuration of the project."""

from importlib.util import find_spec

from django.apps import AppConfig


class ProjectConfig(AppConfig):
    """Checks of the settings, redacted logs, and the steps of workflows without AWS."""

    name = "config"

    def ready(self) -> None:
        """Register the checks and redact logs; register the steps if the engine is installed."""
        from config import checks  # noqa: F401  importing it registers them
        from config.redaction import redact_logs

        redact_logs()

        if find_spec("asl_engine") is None:
            return
        from config.steps import step_handlers, write_payload
        from qu_workflows.protocol.project import register_steps

        register_steps(step_handlers, write_payload)
