"""Guard reports, their files and thumbnails, and inquiries about incidents."""

import secrets
from typing import Self
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.models import User
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.dispatch import Signal
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.models import Guard, Property, Shift, SoftDeleteModel, SoftDeleteQuerySet

NAME_MAX_LENGTH = 150
# ``create_report`` sends it with ``report`` in its transaction; an exception of a receiver rolls the report back.
report_created = Signal()


class GuardReportQuerySet(SoftDeleteQuerySet["GuardReport"]):
    """Reports with related rows."""

    def for_reading(self) -> Self:
        """Load the reports for their readers, in a fixed number of queries."""
        return self.select_related("guard__user", "property", "shift", "acknowledged_by").prefetch_related(
            "files__thumbnails"
        )


class GuardReport(SoftDeleteModel):
    """A guard's report. Shift and property follow from the guard and the time."""

    guard = models.ForeignKey(Guard, models.PROTECT, verbose_name=_("guard"), related_name="reports")
    shift = models.ForeignKey(
        Shift, models.SET_NULL, verbose_name=_("shift"), related_name="reports", null=True, blank=True
    )
    property = models.ForeignKey(
        Property, models.PROTECT, verbose_name=_("property"), related_name="reports", null=True, blank=True
    )
    note = models.TextField(_("note"), blank=True)
    report_datetime = models.DateTimeField(_("time of the report"), default=timezone.now)
    latitude = models.DecimalField(
        _("latitude"),
        max_digits=9,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(-90), MaxValueValidator(90)],
    )
    longitude = models.DecimalField(
        _("longitude"),
        max_digits=9,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(-180), MaxValueValidator(180)],
    )
    is_incident = models.BooleanField(
        _("incident"), default=False, db_default=False, help_text=_("Supervisors are asked in turn to acknowledge it.")
    )
    acknowledged_by = models.ForeignKey(
        User,
        models.SET_NULL,
        verbose_name=_("acknowledged by"),
        related_name="acknowledged_reports",
        null=True,
        blank=True,
        editable=False,
    )
    acknowledged_at = models.DateTimeField(_("acknowledged at"), null=True, blank=True, editable=False)
    evidence_hold = models.BooleanField(
        _("evidence hold"),
        default=False,
        db_default=False,
        help_text=_("The report is kept until the hold is lifted."),
    )
    evidence_hold_reason = models.CharField(
        _("reason of the hold"), max_length=200, blank=True, default="", db_default=""
    )
    processed_at = models.DateTimeField(_("processed at"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    objects = GuardReportQuerySet.as_manager()

    class Meta:
        verbose_name = _("guard report")
        verbose_name_plural = _("guard reports")
        ordering = ["-report_datetime", "-id"]
        indexes = [
            models.Index(fields=["guard", "-report_datetime"], name="report_guard_time"),
            models.Index(fields=["-report_datetime", "-id"], name="report_time"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(latitude__range=(-90, 90)), name="report_latitude_on_earth"),
            models.CheckConstraint(condition=Q(longitude__range=(-180, 180)), name="report_longitude_on_earth"),
        ]

    def __str__(self) -> str:
        return _("Report %(id)s") % {"id": self.pk}

    def tzinfo(self) -> ZoneInfo:
        """Return the time zone of the property, or TIME_ZONE without a property."""
        return (self.property or Property()).tzinfo()


class FileState(models.TextChoices):
    """Status of a file: PENDING, then a ``FileStatus`` of the workflow's contract."""

    PENDING = "pending", _("Pending")
    ACCEPTED = "accepted", _("Accepted")
    REJECTED = "rejected", _("Refused")


def stored_name(_instance: "ReportFile | None", filename: str) -> str:
    """Return a file's name in the storage: ``guard_reports/2026/11/24/<random>-front-door.jpg``.

    The random part makes it unique without a request to the storage.
    """
    return f"guard_reports/{timezone.localtime():%Y/%m/%d}/{secrets.token_hex(6)}-{filename}"


class ReportFile(models.Model):
    """An uploaded file. The guard_report workflow fills in the facts about its content."""

    report = models.ForeignKey(GuardReport, models.CASCADE, verbose_name=_("report"), related_name="files")
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    file = models.FileField(_("file"), upload_to=stored_name, max_length=255)
    name = models.CharField(_("name"), max_length=NAME_MAX_LENGTH)
    status = models.CharField(_("status"), max_length=8, choices=FileState, default=FileState.PENDING)
    error = models.CharField(_("error"), max_length=80, blank=True)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    kind = models.CharField(_("kind"), max_length=16, blank=True)
    media_type = models.CharField(_("media type"), max_length=127, blank=True)
    size_bytes = models.PositiveBigIntegerField(_("size in bytes"))
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True)
    width = models.PositiveIntegerField(_("width in pixels"), null=True, blank=True)
    height = models.PositiveIntegerField(_("height in pixels"), null=True, blank=True)
    # Without a check in the database: adding it would lock a large table.
    frames = models.IntegerField(_("frames"), null=True, blank=True)
    pages = models.PositiveIntegerField(_("pages"), null=True, blank=True)
    duration_seconds = models.FloatField(_("duration in seconds"), null=True, blank=True)
    captured_at = models.DateTimeField(_("taken at"), null=True, blank=True)
    capture_zone_assumed = models.BooleanField(
        _("time zone assumed"),
        default=False,
        db_default=False,
        help_text=_("The camera's time has no zone: that of the property is assumed."),
    )
    camera = models.CharField(_("camera"), max_length=120, blank=True, default="", db_default="")
    latitude = models.FloatField(_("latitude"), null=True, blank=True)
    longitude = models.FloatField(_("longitude"), null=True, blank=True)
    thumbnails_reason = models.CharField(
        _("why there is no thumbnail"), max_length=500, blank=True, default="", db_default=""
    )

    class Meta:
        verbose_name = _("report file")
        verbose_name_plural = _("report files")
        ordering = ["report_id", "position"]
        indexes = [
            # Finds the same file in earlier reports.
            models.Index(fields=["sha256"], name="file_sha256", condition=~Q(sha256="")),
            models.Index(fields=["file"], name="file_key"),
        ]
        constraints = [models.UniqueConstraint(fields=["report", "position"], name="one_file_per_position")]

    def __str__(self) -> str:
        return self.name

    @property
    def key(self) -> str:
        """Return the file's full key in the bucket."""
        return f"{settings.MEDIA_PREFIX}{self.file.name}"


class Thumbnail(models.Model):
    """A thumbnail of a file. ``key`` is its full key in the bucket.

    The sizes are small, medium and large, each as WebP and as JPEG, and ``preview``, a video's short animation. Files
    processed by earlier versions have WebP only, and one JPEG of the size ``email``.
    """

    report_file = models.ForeignKey(
        ReportFile, models.CASCADE, verbose_name=_("report file"), related_name="thumbnails"
    )
    size = models.CharField(_("size"), max_length=16)
    key = models.CharField(_("key"), max_length=255)
    media_type = models.CharField(_("media type"), max_length=127)
    width = models.PositiveIntegerField(_("width in pixels"))
    height = models.PositiveIntegerField(_("height in pixels"))
    size_bytes = models.PositiveBigIntegerField(_("size in bytes"))

    class Meta:
        verbose_name = _("thumbnail")
        verbose_name_plural = _("thumbnails")
        ordering = ["report_file_id", "width", "id"]
        # Finds the users of an object before it is deleted.
        indexes = [models.Index(fields=["key"], name="thumbnail_key")]
        constraints = [
            models.UniqueConstraint(fields=["report_file", "size", "media_type"], name="one_thumbnail_per_type")
        ]

    def __str__(self) -> str:
        return f"{self.size}, {self.width} by {self.height}"


class InquiryStatus(models.TextChoices):
    """Status of an inquiry."""

    ASKED = "asked", _("Asked")
    ACKNOWLEDGED = "acknowledged", _("Acknowledged")
    UNANSWERED = "unanswered", _("Not answered in time")
    UNREACHABLE = "unreachable", _("Unreachable by mail")


class IncidentInquiry(models.Model):
    """A request to one person to acknowledge an incident: one turn of an execution.

    ``task_id`` is the execution's name. ``task_token`` ends the waiting state; it is a secret and never shown.
    ``seen_at`` is the last heartbeat. The turn ends at ``answer_by``, or at ``sign_by`` without another heartbeat.
    """

    report = models.ForeignKey(GuardReport, models.CASCADE, verbose_name=_("report"), related_name="inquiries")
    task_id = models.CharField(_("task"), max_length=80)
    turn = models.PositiveSmallIntegerField(_("turn"))
    user = models.ForeignKey(User, models.CASCADE, verbose_name=_("person"), related_name="inquiries")
    status = models.CharField(_("status"), max_length=12, choices=InquiryStatus, default=InquiryStatus.ASKED)
    asked_at = models.DateTimeField(_("asked at"), default=timezone.now)
    sign_by = models.DateTimeField(_("answer or heartbeat by"))
    answer_by = models.DateTimeField(_("answer by"))
    seen_at = models.DateTimeField(_("last heartbeat"), null=True, blank=True)
    acknowledged_at = models.DateTimeField(_("acknowledged at"), null=True, blank=True)
    task_token = models.TextField(_("task token"), blank=True, editable=False)

    class Meta:
        verbose_name = _("inquiry")
        verbose_name_plural = _("inquiries")
        ordering = ["report_id", "task_id", "turn"]
        constraints = [models.UniqueConstraint(fields=["task_id", "turn"], name="one_inquiry_per_turn")]

    def __str__(self) -> str:
        return f"{self.report} {self.turn}"
