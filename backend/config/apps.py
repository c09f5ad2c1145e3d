"""The project's place in Django: it registers the checks of its settings, and the runner of its workflows."""

from importlib.util import find_spec

from django.apps import AppConfig


class ProjectConfig(AppConfig):
    """The project."""

    name = "config"

    def ready(self) -> None:
        """Register the checks, and the runner, which needs the engine: it is not deployed to AWS."""
        from config import checks  # noqa: F401  importing it registers them

        if find_spec("asl_engine") is None:
            return
        from config.steps import step_handlers, write_payload
        from qu_workflows.protocol.project import register_runner
        from qu_workflows.tasks.without_queue.runner import InProcessRunner

        register_runner(InProcessRunner(step_handlers, write_payload))
