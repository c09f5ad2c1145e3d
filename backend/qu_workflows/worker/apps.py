"""The app's place in Django."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WorkerConfig(AppConfig):
    """The worker."""

    name = "qu_workflows.worker"
    label = "qu_worker"
    verbose_name = _("Worker")
