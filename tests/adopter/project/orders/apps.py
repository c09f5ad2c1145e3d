"""The app's place in Django: it registers the shop with the platform."""

from pathlib import Path

from django.apps import AppConfig


class OrdersConfig(AppConfig):
    """Orders."""

    name = "orders"

    def ready(self) -> None:
        """Register the shop's workflows and the functions that do their steps."""
        from orders import steps
        from qu_workflows.protocol.project import Project, register, register_runner
        from qu_workflows.tasks.without_queue import InProcessRunner

        folder = Path(__file__).parent / "workflows"
        register(Project(folder, folder))
        register_runner(InProcessRunner(lambda: steps.HANDLERS, steps.write_payload))
