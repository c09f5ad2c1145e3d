"""The project's place in Django: it registers the checks of its settings."""

from django.apps import AppConfig


class ProjectConfig(AppConfig):
    """The project."""

    name = "config"

    def ready(self) -> None:
        """Register the checks."""
        from config import checks  # noqa: F401  importing it registers them
