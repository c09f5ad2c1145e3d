"""App configuration of the back office."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BackOfficeConfig(AppConfig):
    """The admin of guard reports."""

    name = "back_office"
    verbose_name = _("Back office")
