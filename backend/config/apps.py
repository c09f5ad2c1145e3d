"""App configuration of the project."""

from importlib.util import find_spec

from django.apps import AppConfig


class ProjectConfig(AppConfig):
    """Checks of the settings, and the runner of workflows without a queue."""

    name = "config"

    def ready(self) -> None:
        """Register the checks, and the runner if the engine is installed: AWS has none."""
        from config import checks  # noqa: F401  importing it registers them

        if find_spec("asl_engine") is None:
            return
        from config.steps import in_process_handlers, step_handlers, write_payload
        from qu_workflows.protocol.project import register_runner, register_steps
        from qu_workflows.tasks.without_queue import InProcessRunner

        register_runner(InProcessRunner(in_process_handlers, write_payload))
        register_steps(step_handlers)
