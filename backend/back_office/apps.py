"""The app's place in Django."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BackOfficeConfig(AppConfig):
    """The admin's pages of guard reports."""

    name = "back_office"
    verbose_name = _("Back office")
