"""The task record: what was enqueued, whether it was sent, and what became of it."""

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from uuid6 import uuid7


class TaskStatus(models.TextChoices):
    """How far a task is. From RUNNING on, the words are those of Step Functions."""

    READY = "READY", _("Recorded, not sent")
    SENT = "SENT", _("Sent")
    RUNNING = "RUNNING", _("Running")
    SUCCEEDED = "SUCCEEDED", _("Succeeded")
    FAILED = "FAILED", _("Failed")
    TIMED_OUT = "TIMED_OUT", _("Timed out")
    ABORTED = "ABORTED", _("Aborted")


EMPTY_LIST = models.Value([], models.JSONField())
WAITING = (TaskStatus.READY, TaskStatus.SENT)
UNSUCCESSFUL = (TaskStatus.FAILED, TaskStatus.TIMED_OUT, TaskStatus.ABORTED)


def new_task_id() -> str:
    """Return a UUIDv7: ids sort by the time they were made."""
    return str(uuid7())


class TaskRecord(models.Model):
    """One task. Its id is the message's id and the name of the execution.

    ``payload`` is what the message carries: arguments by name, or the decorated form of ``@async_task``.
    ``payload_key`` is set when it is too large to travel inline. ``report_id`` is the guard report that
    the task is about, if it is about one.
    """

    id = models.CharField(_("id"), primary_key=True, max_length=80, default=new_task_id, editable=False)
    task = models.CharField(_("task"), max_length=255)
    workflow = models.CharField(_("workflow"), max_length=80)
    payload = models.JSONField(_("payload"), default=dict)
    payload_key = models.CharField(_("payload key"), max_length=120, blank=True)
    positional_count = models.PositiveSmallIntegerField(_("arguments given by position"), default=0)
    report_id = models.BigIntegerField(_("report"), null=True, blank=True)

    status = models.CharField(_("status"), max_length=16, choices=TaskStatus, default=TaskStatus.READY)
    backend = models.CharField(_("task backend"), max_length=64, default="default")
    queue_name = models.CharField(_("queue"), max_length=64, default="default")
    message_group_id = models.CharField(_("message group"), max_length=128, blank=True)
    run_after = models.DateTimeField(_("run after"), null=True, blank=True)
    delay_seconds = models.PositiveSmallIntegerField(_("delay in seconds"), default=0)

    enqueued_at = models.DateTimeField(_("enqueued at"))
    send_attempts = models.PositiveIntegerField(_("attempts to send"), default=0, db_default=0)
    last_send_error = models.TextField(_("last error in sending"), blank=True, default="", db_default="")
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)

    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    last_attempted_at = models.DateTimeField(_("last attempted at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    execution_arn = models.CharField(_("execution ARN"), max_length=300, blank=True, default="", db_default="")
    state_machine_version_arn = models.CharField(
        _("state machine version ARN"), max_length=300, blank=True, default="", db_default=""
    )
    redrive_count = models.PositiveIntegerField(_("redrives"), default=0, db_default=0)

    ran_inline = models.BooleanField(_("run in the web process"), default=False, db_default=False)
    worker_ids = models.JSONField(_("workers, one per attempt"), default=list, db_default=EMPTY_LIST, blank=True)
    returned_at = models.DateTimeField(_("function returned at"), null=True, blank=True)
    result = models.JSONField(_("result"), null=True, blank=True)
    error = models.CharField(_("error"), max_length=256, blank=True, default="", db_default="")
    cause = models.TextField(_("cause"), blank=True, default="", db_default="")
    errors = models.JSONField(_("errors, one per failed attempt"), default=list, db_default=EMPTY_LIST, blank=True)

    class Meta:
        verbose_name = _("task")
        verbose_name_plural = _("tasks")
        ordering = ["-enqueued_at", "-id"]
        indexes = [
            models.Index(fields=["enqueued_at", "id"], name="task_enqueued"),
            models.Index(fields=["status", "enqueued_at", "id"], name="task_status_enqueued"),
            models.Index(fields=["task", "enqueued_at", "id"], name="task_task_enqueued"),
            models.Index(fields=["report_id"], name="task_report", condition=Q(report_id__isnull=False)),
            models.Index(fields=["error", "enqueued_at"], name="task_error", condition=~Q(error="")),
        ]

    def __str__(self) -> str:
        return f"{self.task} {self.pk}"

    @property
    def due_at(self) -> datetime:
        """The earliest time at which the task may run."""
        if self.delay_seconds:
            return self.enqueued_at + timedelta(seconds=self.delay_seconds)
        return self.run_after or self.enqueued_at
