"""The REST API of guard reports and tasks."""

from datetime import date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from django_filters import DateFilter
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.filters import OrderingFilter
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet, ReadOnlyModelViewSet

from api.serializers import (
    BackOfficeReportSerializer,
    CreatedGuardReportSerializer,
    GuardReportSerializer,
    NewGuardReportSerializer,
    TaskRecordSerializer,
)
from core.authentication import GuardAuthentication, IsGuard, guard_of
from core.strict import BoundedSearchFilter, IntegerFilter, StrictFilterBackend, StrictFilterSet
from core.throttling import UploadThrottle
from core.views import SoftDeleteMixin
from qu_workflows.records.models import TaskRecord
from reports.models import GuardReport, GuardReportQuerySet
from reports.queries import with_processing
from reports.services import create_report

_FILE = {"type": "string", "format": "binary"}
# By hand, since a serializer cannot express "file or files".
NEW_REPORT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "guard": {"type": "integer", "minimum": 1, "description": "The guard of X-Guard-ID; may be omitted."},
        "file": _FILE | {"description": "One file. This or files is required."},
        "files": {
            "type": "array",
            "items": _FILE,
            "minItems": 1,
            "maxItems": settings.UPLOAD_MAX_FILES,
            "description": "Several files: repeat the field.",
        },
        "note": {"type": "string", "maxLength": 10_000},
        "report_datetime": {
            "type": "string",
            "format": "date-time",
            "description": "Between the year 2000 and tomorrow. Default: now.",
        },
        "latitude": {"type": "number", "format": "double", "minimum": -90, "maximum": 90},
        "longitude": {"type": "number", "format": "double", "minimum": -180, "maximum": 180},
        "is_incident": {
            "type": "boolean",
            "default": False,
            "description": "True asks the property's supervisors in turn, by mail, to acknowledge it.",
        },
    },
    "anyOf": [{"required": ["file"]}, {"required": ["files"]}],
}
_ISO = "%Y-%m-%d"  # and no formats of a country


class GuardReportFilter(StrictFilterSet):
    """``date_from`` and ``date_to`` are inclusive days in TIME_ZONE."""

    date_from = DateFilter(method="since", input_formats=[_ISO], help_text="The first day, as 2026-11-24.")
    date_to = DateFilter(method="until", input_formats=[_ISO], help_text="The last day, as 2026-11-24.")

    class Meta(StrictFilterSet.Meta):
        model = GuardReport
        fields = ["guard", "is_incident", "date_from", "date_to"]

    def since(self, reports: GuardReportQuerySet, _name: str, day: date) -> GuardReportQuerySet:
        """Return the reports since a day."""
        return reports.filter(report_datetime__gte=_start_of(day))

    def until(self, reports: GuardReportQuerySet, _name: str, day: date) -> GuardReportQuerySet:
        """Return the reports until a day."""
        if day == date.max:
            return reports
        return reports.filter(report_datetime__lt=_start_of(day + timedelta(days=1)))


def _start_of(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


class GuardReportViewSet(GenericViewSet[GuardReport]):
    """Base of the views of reports."""

    queryset = GuardReport.objects.all()
    serializer_class = GuardReportSerializer
    filter_backends = [StrictFilterBackend, BoundedSearchFilter, OrderingFilter]
    filterset_class = GuardReportFilter
    search_fields = ["note", "property__name", "property__alias", "files__name"]
    ordering_fields = ["id", "report_datetime", "created_at"]
    ordering = ["-report_datetime", "-id"]
    lookup_value_converter = "int"

    def get_queryset(self) -> GuardReportQuerySet:
        """Return the active reports with related rows."""
        return GuardReport.objects.active().for_reading()


@extend_schema(tags=["mobile"])
@extend_schema_view(
    list=extend_schema(summary="The guard's own reports"),
    retrieve=extend_schema(summary="One of the guard's own reports"),
)
class MobileGuardReportViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, GuardReportViewSet):
    """Reports of the guard of X-Guard-ID."""

    authentication_classes = [GuardAuthentication]
    permission_classes = [IsGuard]
    parser_classes = [MultiPartParser]
    throttle_classes = [UploadThrottle]

    def get_queryset(self) -> GuardReportQuerySet:
        """Return the guard's own reports."""
        if getattr(self, "swagger_fake_view", False):
            return super().get_queryset().none()
        return super().get_queryset().filter(guard=guard_of(self.request))

    @extend_schema(
        summary="Send a report",
        description="The report is saved with its files. The files are processed afterwards.",
        request={"multipart/form-data": NEW_REPORT_SCHEMA},
        responses={status.HTTP_201_CREATED: CreatedGuardReportSerializer},
    )
    def create(self, request: Request) -> Response:
        """Save a report and enqueue its processing."""
        new = NewGuardReportSerializer(data=request.data, context=self.get_serializer_context())
        new.is_valid(raise_exception=True)
        created = create_report(guard_of(request), **new.validated_data)
        report = self.get_queryset().get(pk=created.report.pk)
        data = GuardReportSerializer(report, context=self.get_serializer_context()).data
        processing = {"initiated": created.task_id is not None, "task_id": created.task_id}
        return Response(data | {"async_processing": processing}, status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="The reports of the guard of X-Guard-ID",
        responses=GuardReportSerializer(many=True),
        filters=True,
    )
    @action(detail=False, url_path="by-guard/<int:guard_id>")
    def by_guard(self, request: Request, guard_id: int) -> Response:
        """List a guard's reports."""
        if guard_id != guard_of(request).pk:
            raise PermissionDenied(_("A guard cannot see reports of other guards: send the id of X-Guard-ID."))
        return self.list(request)


@extend_schema(tags=["guard reports"])
@extend_schema_view(
    list=extend_schema(summary="Reports"),
    retrieve=extend_schema(summary="One report"),
    update=extend_schema(summary="Change a report's note, or mark it as an incident"),
    partial_update=extend_schema(summary="Change a report's note, or mark it as an incident"),
    destroy=extend_schema(summary="Deactivate a report"),
)
class BackOfficeGuardReportViewSet(
    SoftDeleteMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    GuardReportViewSet,
):
    """Reports of all guards."""

    serializer_class = BackOfficeReportSerializer

    def get_queryset(self) -> GuardReportQuerySet:
        """Return the active reports with their inquiries and processing."""
        return with_processing(super().get_queryset().prefetch_related("inquiries__user"))


class TaskRecordFilter(StrictFilterSet):
    """Filters of tasks."""

    report_id = IntegerFilter("subject_id", help_text="The id of a guard report.")

    class Meta(StrictFilterSet.Meta):
        model = TaskRecord
        fields = ["task", "workflow", "status", "report_id"]


@extend_schema(tags=["tasks"])
@extend_schema_view(
    list=extend_schema(summary="Tasks, the newest first"), retrieve=extend_schema(summary="One task by its id")
)
class TaskRecordViewSet(ReadOnlyModelViewSet[TaskRecord]):
    """Enqueued tasks and their status."""

    queryset = TaskRecord.objects.all()
    serializer_class = TaskRecordSerializer
    filter_backends = [StrictFilterBackend, OrderingFilter]
    filterset_class = TaskRecordFilter
    ordering_fields = ["enqueued_at", "finished_at"]
    ordering = ["-enqueued_at", "-id"]
    lookup_value_converter = "slug"
