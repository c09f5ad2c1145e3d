"""The app's place in Django."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CommonConfig(AppConfig):
    """The tasks of this project, and the ways to send one."""

    name = "common"
    verbose_name = _("Common")

    def ready(self) -> None:
        """Register this project with the platform."""
        from common.repeated_effects import REPEATED_EFFECTS
        from qu_workflows.executions import hooks
        from qu_workflows.protocol.project import register
        from workflows.project import PROJECT

        register(PROJECT)
        hooks.register(hooks.ExecutionHooks(subject="report", repeated_effects=REPEATED_EFFECTS))
