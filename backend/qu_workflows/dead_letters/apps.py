"""The app's place in Django."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DeadLettersConfig(AppConfig):
    """The dead-letter queue."""

    name = "qu_workflows.dead_letters"
    label = "qu_dead_letters"
    verbose_name = _("Dead letters")
