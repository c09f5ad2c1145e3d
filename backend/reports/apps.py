"""App configuration of reports."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ReportsConfig(AppConfig):
    """Guard reports, their files and thumbnails."""

    name = "reports"
    verbose_name = _("Reports")
