"""The app of the console."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ConsoleConfig(AppConfig):
    """The console for staff."""

    name = "console"
    verbose_name = _("Console")
