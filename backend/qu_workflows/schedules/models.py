"""The state of schedules that the worker runs: on AWS, EventBridge Scheduler keeps it."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class ScheduleState(models.Model):
    """The state of one schedule. A schedule without a row runs."""

    name = models.CharField(_("schedule"), max_length=40, primary_key=True)
    is_paused = models.BooleanField(_("paused"), default=False)
    changed_at = models.DateTimeField(_("changed at"), default=timezone.now)

    class Meta:
        verbose_name = _("state of a schedule")
        verbose_name_plural = _("states of schedules")

    def __str__(self) -> str:
        return self.name
