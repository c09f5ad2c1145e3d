"""App configuration of people and places."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CoreConfig(AppConfig):
    """People, places, shifts and API keys."""

    name = "core"
    verbose_name = _("People and places")
