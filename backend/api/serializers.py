"""Serializers of guard reports and tasks."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from core.authentication import guard_of
from core.models import name_of
from core.strict import StrictTypesMixin
from incidents.services import mark_incident
from qu_workflows.records.models import TaskRecord, TaskStatus
from reports.contradictions import Contradiction, contradictions_of
from reports.files.storage import objects, original_url
from reports.files.uploads import check_number_of
from reports.models import GuardReport, IncidentInquiry, ReportFile, Thumbnail
from reports.queries import console_path

EARLIEST_REPORT = datetime(2000, 1, 1, tzinfo=UTC)
# Clocks of phones are wrong by hours, not by days.
LATEST_REPORT = timedelta(days=1)
_SIX_DECIMALS = Decimal("0.000001")  # 11 cm; phones send more digits


class ThumbnailSerializer(serializers.ModelSerializer[Thumbnail]):
    """A thumbnail of a file."""

    url = serializers.SerializerMethodField()

    class Meta:
        model = Thumbnail
        fields = ["size", "media_type", "url", "width", "height"]
        extra_kwargs = {
            "size": {"help_text": "small, medium or large, each as WebP and as JPEG; preview: a video's animation."}
        }

    @extend_schema_field(OpenApiTypes.URI)
    def get_url(self, thumbnail: Thumbnail) -> str:
        """Return a signed URL."""
        return _absolute(self.context["request"], objects().url(thumbnail.key))


class ReportFileSerializer(serializers.ModelSerializer[ReportFile]):
    """A file of a report, with the facts about its content."""

    file_url = serializers.SerializerMethodField(help_text="Signed, valid for one hour.")
    thumbnails = ThumbnailSerializer(many=True, read_only=True)

    class Meta:
        model = ReportFile
        fields = [
            "id",
            "name",
            "file_url",
            "status",
            "reason",
            "kind",
            "media_type",
            "size_bytes",
            "width",
            "height",
            "frames",
            "pages",
            "duration_seconds",
            "captured_at",
            "capture_zone_assumed",
            "camera",
            "latitude",
            "longitude",
            "thumbnails",
            "thumbnails_reason",
        ]
        extra_kwargs = {
            "kind": {"help_text": "image, video, audio, pdf or other, by the content; empty until it is known."},
            "media_type": {"help_text": "Detected from the content, not from the name."},
            "frames": {"help_text": "Of an animation or a multi-page image."},
            "duration_seconds": {"help_text": "Of video and audio."},
            "captured_at": {"help_text": "When it was taken, according to its metadata, which can be wrong or forged."},
            "capture_zone_assumed": {
                "help_text": "True: the metadata has no time zone, and that of the property was assumed."
            },
            "camera": {"help_text": "Maker and model, according to its metadata."},
            "latitude": {"help_text": "Where it was taken, in WGS 84 degrees, according to its metadata."},
            "longitude": {"help_text": "Set if latitude is."},
            "thumbnails_reason": {"help_text": "Why an accepted file has no thumbnails; else empty."},
        }

    @extend_schema_field(OpenApiTypes.URI)
    def get_file_url(self, file: ReportFile) -> str:
        """Return a signed URL."""
        return _absolute(self.context["request"], original_url(file))


class GuardReportSerializer(serializers.ModelSerializer[GuardReport]):
    """A report with its files."""

    file_url = serializers.SerializerMethodField(help_text="The first file, signed, valid for one hour.")
    files = ReportFileSerializer(many=True, read_only=True)
    latitude = serializers.FloatField(read_only=True, allow_null=True)
    longitude = serializers.FloatField(read_only=True, allow_null=True)

    class Meta:
        model = GuardReport
        fields = [
            "id",
            "guard",
            "shift",
            "property",
            "file_url",
            "files",
            "note",
            "report_datetime",
            "latitude",
            "longitude",
            "is_incident",
            "acknowledged_at",
            "processed_at",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields

    @extend_schema_field({"type": "string", "format": "uri", "nullable": True})
    def get_file_url(self, report: GuardReport) -> str | None:
        """Return a signed URL of the first file, for clients that send one."""
        first = next(iter(report.files.all()), None)
        return _absolute(self.context["request"], original_url(first)) if first else None


class AsyncProcessingSerializer(serializers.Serializer[Any]):
    """The task that processes the report; null if it could not be enqueued."""

    initiated = serializers.BooleanField(read_only=True)
    task_id = serializers.CharField(read_only=True, allow_null=True)


class CreatedGuardReportSerializer(GuardReportSerializer):
    """A report just created."""

    async_processing = AsyncProcessingSerializer(read_only=True)

    class Meta(GuardReportSerializer.Meta):
        fields = [*GuardReportSerializer.Meta.fields, "async_processing"]
        read_only_fields = fields


class NewGuardReportSerializer(serializers.Serializer[GuardReport]):
    """A report from the mobile app, with ``file``, ``files`` or both."""

    guard = serializers.IntegerField(required=False, help_text="The guard of X-Guard-ID; may be omitted.")
    file = serializers.FileField(required=False, write_only=True)
    files = serializers.ListField(child=serializers.FileField(), required=False, write_only=True)
    note = serializers.CharField(required=False, allow_blank=True, max_length=10_000)
    report_datetime = serializers.DateTimeField(required=False, help_text="Default: now.")
    latitude = serializers.FloatField(required=False, allow_null=True, min_value=-90, max_value=90)
    longitude = serializers.FloatField(required=False, allow_null=True, min_value=-180, max_value=180)
    is_incident = serializers.BooleanField(required=False, help_text="True asks the supervisors to acknowledge it.")

    def validate_guard(self, guard_id: int) -> int:
        """Refuse another guard than the one who is signed in."""
        if guard_id != guard_of(self.context["request"]).pk:
            raise PermissionDenied(
                _("A guard cannot report for another guard: omit guard, or send the id of X-Guard-ID.")
            )
        return guard_id

    def validate_report_datetime(self, moment: datetime) -> datetime:
        """Refuse times before 2000 or after tomorrow."""
        if not EARLIEST_REPORT <= moment <= timezone.now() + LATEST_REPORT:
            raise serializers.ValidationError(_("The time must be between the year 2000 and tomorrow."))
        return moment

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Combine the files of both fields, and validate their number."""
        files = [*([attrs.pop("file")] if "file" in attrs else []), *attrs.pop("files", [])]
        if not files:
            raise serializers.ValidationError({"file": [_("Send at least one file, as file or as files.")]})
        check_number_of(files)
        attrs.pop("guard", None)
        for name in ("latitude", "longitude"):
            if attrs.get(name) is not None:
                attrs[name] = Decimal(attrs[name]).quantize(_SIX_DECIMALS)
        return attrs | {"files": files}


def _absolute(request: Request, url: str) -> str:
    return request.build_absolute_uri(url)


class IncidentInquirySerializer(serializers.ModelSerializer[IncidentInquiry]):
    """An inquiry about an incident, with the times of the person's turn and its outcome."""

    user_name = serializers.SerializerMethodField()

    class Meta:
        model = IncidentInquiry
        fields = [
            "task_id",
            "turn",
            "user",
            "user_name",
            "status",
            "asked_at",
            "sign_by",
            "answer_by",
            "seen_at",
            "acknowledged_at",
        ]
        read_only_fields = fields

    def get_user_name(self, inquiry: IncidentInquiry) -> str:
        """Return the person's name."""
        return name_of(inquiry.user)


class ProcessingSerializer(serializers.Serializer[Any]):
    """The newest task that processes the report."""

    task_id = serializers.CharField(read_only=True)
    status = serializers.ChoiceField(TaskStatus.choices, read_only=True)
    console_url = serializers.URLField(
        read_only=True, allow_null=True, help_text="Its page in the console; null for users without access."
    )


class BackOfficeReportSerializer(StrictTypesMixin, GuardReportSerializer):
    """A report for the back office, with a writable note and incident flag."""

    is_incident = serializers.BooleanField(
        required=False,
        help_text="True asks the supervisors to acknowledge it. False has no effect on an incident.",
    )
    acknowledged_by = serializers.PrimaryKeyRelatedField[User](read_only=True, allow_null=True)
    inquiries = IncidentInquirySerializer(many=True, read_only=True)
    guard_name = serializers.CharField(source="guard.__str__", read_only=True)
    property_name = serializers.CharField(source="property.__str__", read_only=True, allow_null=True)
    processing = serializers.SerializerMethodField(help_text="Null without a task record.")
    contradictions = serializers.SerializerMethodField(
        help_text="Contradictions in the report and its files, as sentences."
    )

    class Meta(GuardReportSerializer.Meta):
        fields = [
            *GuardReportSerializer.Meta.fields,
            "acknowledged_by",
            "inquiries",
            "guard_name",
            "property_name",
            "processing",
            "contradictions",
        ]
        read_only_fields = [name for name in fields if name not in {"note", "is_incident"}]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._contradictions: dict[int, list[Contradiction]] = {}

    @extend_schema_field(ProcessingSerializer(allow_null=True))
    def get_processing(self, report: GuardReport) -> dict[str, Any] | None:
        """Return the report's newest task, with its URL for users with access."""
        processing: dict[str, Any] | None = getattr(report, "newest_processing")  # noqa: B009  annotated
        if processing is None:
            return None
        request = self.context["request"]
        path = console_path(processing["task_id"], request.user)
        return {**processing, "console_url": _absolute(request, path) if path else None}

    def get_contradictions(self, report: GuardReport) -> list[str]:
        """Return the contradictions; for a list, of all reports at once, in two queries."""
        if report.pk not in self._contradictions:
            listed: Any = self.parent.instance if isinstance(self.parent, serializers.ListSerializer) else None
            self._contradictions = contradictions_of(list(listed or [report]))
        return [found.sentence for found in self._contradictions[report.pk]]

    @transaction.atomic
    def update(self, instance: GuardReport, validated_data: dict[str, Any]) -> GuardReport:
        """Save the given fields only: the workflow may be changing others."""
        if validated_data.pop("is_incident", False) and not instance.is_incident:
            mark_incident(instance.pk)
            instance.is_incident = True
        for name, value in validated_data.items():
            setattr(instance, name, value)
        instance.save(update_fields=[*validated_data, "updated_at"])
        return instance


class TaskRecordSerializer(serializers.ModelSerializer[TaskRecord]):
    """A task and its status, without its payload, which may contain personal data."""

    report_id = serializers.IntegerField(source="subject_id", read_only=True, allow_null=True)

    class Meta:
        model = TaskRecord
        fields = [
            "id",
            "task",
            "workflow",
            "status",
            "report_id",
            "enqueued_at",
            "sent_at",
            "started_at",
            "finished_at",
            "execution_arn",
            "redrive_count",
            "result",
            "error",
            "cause",
            "last_send_error",
        ]
        read_only_fields = fields
