"""The tables: task records, the audit table, alerts and samples of executions."""

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from uuid6 import uuid7

from qu_workflows.protocol.execution_names import new_task_id


class TaskStatus(models.TextChoices):
    """The status of a task; from RUNNING on, those of Step Functions."""

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


class TaskRecord(models.Model):
    """One task. Its id is the message's id and the name of the execution.

    ``payload`` is the message's: arguments by name, or the decorated form of ``@async_task``. ``payload_key`` is set
    if it is too large to travel inline. ``subject_id`` comes from the project's ``subject_of``. ``schedule`` is the
    schedule of a run, or "". ``attempt_of`` is the first attempt's id, "" on the first attempt itself.
    """

    id = models.CharField(_("id"), primary_key=True, max_length=80, default=new_task_id, editable=False)
    task = models.CharField(_("task"), max_length=255)
    workflow = models.CharField(_("workflow"), max_length=80)
    payload = models.JSONField(_("payload"), default=dict)
    payload_key = models.CharField(_("payload key"), max_length=120, blank=True)
    positional_count = models.PositiveSmallIntegerField(_("arguments given by position"), default=0)
    subject_id = models.BigIntegerField(_("subject"), db_column="report_id", null=True, blank=True)
    schedule = models.CharField(_("schedule"), max_length=40, blank=True, default="", db_default="")
    attempt_of = models.CharField(_("attempt of"), max_length=80, blank=True, default="", db_default="")

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
        permissions = [
            ("view_console", _("Can see the console")),
            ("redrive_execution", _("Can redrive and restart executions, and redrive dead letters")),
            ("stop_execution", _("Can stop executions")),
            ("purge_dead_letter", _("Can purge dead letters")),
            ("change_schedule", _("Can pause, resume and run schedules")),
        ]
        ordering = ["-enqueued_at", "-id"]
        indexes = [
            models.Index(fields=["enqueued_at", "id"], name="task_enqueued"),
            models.Index(fields=["status", "enqueued_at", "id"], name="task_status_enqueued"),
            models.Index(fields=["task", "enqueued_at", "id"], name="task_task_enqueued"),
            models.Index(fields=["workflow", "enqueued_at", "id"], name="task_workflow_enqueued"),
            # The console's list: without the runs of schedules that succeeded, one each minute.
            models.Index(
                fields=["enqueued_at", "id"], name="task_listed", condition=Q(schedule="") | ~Q(status="SUCCEEDED")
            ),
            models.Index(fields=["subject_id"], name="task_report", condition=Q(subject_id__isnull=False)),
            models.Index(fields=["error", "enqueued_at"], name="task_error", condition=~Q(error="")),
            models.Index(fields=["schedule", "enqueued_at"], name="task_schedule", condition=~Q(schedule="")),
            models.Index(fields=["attempt_of"], name="task_attempt_of", condition=~Q(attempt_of="")),
        ]

    def __str__(self) -> str:
        return f"{self.task} {self.pk}"

    @property
    def due_at(self) -> datetime:
        """The earliest time at which the task may run."""
        if self.delay_seconds:
            return self.enqueued_at + timedelta(seconds=self.delay_seconds)
        return self.run_after or self.enqueued_at


class AuditAction(models.TextChoices):
    """The actions on executions, dead letters and schedules."""

    REDRIVE_EXECUTION = "redrive_execution", _("Redrive execution")
    STOP_EXECUTION = "stop_execution", _("Stop execution")
    RESTART_EXECUTION = "restart_execution", _("Restart execution")
    REDRIVE_DEAD_LETTERS = "redrive_dead_letters", _("Redrive dead letters")
    PURGE_DEAD_LETTERS = "purge_dead_letters", _("Purge dead letters")
    PAUSE_SCHEDULE = "pause_schedule", _("Pause schedule")
    RESUME_SCHEDULE = "resume_schedule", _("Resume schedule")
    RUN_SCHEDULE = "run_schedule", _("Run schedule now")


class AuditOutcome(models.TextChoices):
    """The outcome of an action. It stays STARTED if the process died meanwhile."""

    STARTED = "started", _("Started")
    DONE = "done", _("Done")
    REFUSED = "refused", _("Refused")
    FAILED = "failed", _("Failed")


class AuditEntry(models.Model):
    """The audit entry of one action. Written before it, completed after it, never deleted.

    ``actor`` is ``name (user ID)`` of a Django user, or ``name@host`` for a command. ``target`` is a task id, a
    message id, or the name of a queue or schedule. ``batch`` is the same for all entries of one call.
    """

    at = models.DateTimeField(_("at"), default=timezone.now, editable=False)
    actor = models.CharField(_("actor"), max_length=150)
    action = models.CharField(_("action"), max_length=32, choices=AuditAction)
    target = models.CharField(_("target"), max_length=256)
    batch = models.UUIDField(_("batch"), default=uuid7)
    outcome = models.CharField(_("outcome"), max_length=8, choices=AuditOutcome, default=AuditOutcome.STARTED)
    message = models.TextField(_("message"), blank=True)
    details = models.JSONField(_("details"), default=dict, blank=True)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["at", "id"], name="audit_at"),
            models.Index(fields=["target", "at"], name="audit_target"),
        ]

    def __str__(self) -> str:
        return f"{self.actor}: {self.action} {self.target}"


class Alert(models.Model):
    """An alert to operations; at most one is open, while something is stuck."""

    opened_at = models.DateTimeField(_("opened at"), default=timezone.now)
    mailed_at = models.DateTimeField(_("last mailed at"), db_column="told_at", null=True, blank=True)
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)
    findings = models.JSONField(_("findings"), default=dict)

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering = ["-opened_at", "-id"]
        constraints = [
            models.UniqueConstraint(models.Value(1), condition=Q(closed_at__isnull=True), name="one_open_alert")
        ]

    def __str__(self) -> str:
        return f"{self.opened_at:%Y-%m-%d %H:%M}"


class ExecutionSample(models.Model):
    """The sample of one ended execution: durations of its state entries, and transitions.

    Taken for some executions, within Step Functions' quota, and for those whose page was opened. ``entries`` is a JSON
    list of ``executions.samples.SampledEntry``; ``edges`` counts transitions: ``{"Load Report": {"Each File": 1}}``.
    """

    record = models.OneToOneField(
        TaskRecord, models.CASCADE, verbose_name=_("task"), related_name="sample", primary_key=True
    )
    workflow = models.CharField(_("workflow"), max_length=80)
    finished_at = models.DateTimeField(_("finished at"))
    redrive_count = models.PositiveIntegerField(_("redrives"), default=0)
    entries = models.JSONField(_("state entries"), db_column="visits", default=list)
    edges = models.JSONField(_("edges"), default=dict)

    class Meta:
        verbose_name = _("sample of a history")
        verbose_name_plural = _("samples of histories")
        ordering = ["-finished_at"]
        indexes = [models.Index(fields=["workflow", "-finished_at"], name="sample_workflow_finished")]

    def __str__(self) -> str:
        return self.record_id
