"""The Django app of the console."""

from django.apps import AppConfig
from django.core.checks import Tags, register
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class ConsoleConfig(AppConfig):
    """The console for staff."""

    name = "qu_workflows.console"
    label = "console"
    verbose_name = _("Console")

    def ready(self) -> None:
        """Register the settings check, and import the ``console_hooks`` modules of all apps."""
        from qu_workflows.console.checks import check_masked_keys

        register(check_masked_keys, Tags.security)
        autodiscover_modules("console_hooks")
