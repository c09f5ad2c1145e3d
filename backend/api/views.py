"""Guard reports over HTTP: for the mobile app, and for the back office."""

from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.filters import OrderingFilter, SearchFilter
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from api.filters import GuardReportFilter
from api.serializers import (
    BackOfficeReportSerializer,
    CreatedGuardReportSerializer,
    GuardReportSerializer,
    NewGuardReportSerializer,
)
from core.authentication import GuardAuthentication, IsGuard, guard_of
from core.views import SoftDeleteMixin
from reports.models import GuardReport, GuardReportQuerySet
from reports.processing import with_processing
from reports.services import create_report

_FILE = {"type": "string", "format": "binary"}
# Written by hand: "one of file and files" is beyond what a serializer can say.
NEW_REPORT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "guard": {"type": "integer", "minimum": 1, "description": "The guard of X-Guard-ID, or left out."},
        "file": _FILE | {"description": "One file. Either this or files must be there."},
        "files": {
            "type": "array",
            "items": _FILE,
            "minItems": 1,
            "maxItems": settings.UPLOAD_MAX_FILES,
            "description": "Many files: the field is repeated.",
        },
        "note": {"type": "string", "maxLength": 10_000},
        "report_datetime": {
            "type": "string",
            "format": "date-time",
            "description": "Between the year 2000 and tomorrow; now, when left out.",
        },
        "latitude": {"type": "number", "format": "double", "minimum": -90, "maximum": 90},
        "longitude": {"type": "number", "format": "double", "minimum": -180, "maximum": 180},
        "is_incident": {
            "type": "boolean",
            "default": False,
            "description": "True asks the property's supervisors by mail, one after the other, to acknowledge it.",
        },
    },
    "anyOf": [{"required": ["file"]}, {"required": ["files"]}],
}


class GuardReportViewSet(GenericViewSet[GuardReport]):
    """What reading reports has in common."""

    queryset = GuardReport.objects.all()
    serializer_class = GuardReportSerializer
    filter_backends = [DjangoFilterBackend, SearchFilter, OrderingFilter]
    filterset_class = GuardReportFilter
    search_fields = ["note", "property__name", "property__alias", "files__name"]
    ordering_fields = ["id", "report_datetime", "created_at"]
    ordering = ["-report_datetime", "-id"]
    lookup_value_converter = "int"

    def get_queryset(self) -> GuardReportQuerySet:
        """Return the reports in use, with what a report shows."""
        return GuardReport.objects.active().for_reading()


@extend_schema(tags=["mobile"])
@extend_schema_view(
    list=extend_schema(summary="The guard's own reports"),
    retrieve=extend_schema(summary="One of the guard's own reports"),
)
class MobileGuardReportViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, GuardReportViewSet):
    """Reports of the guard named by X-Guard-ID. A guard sees and creates no others."""

    authentication_classes = [GuardAuthentication]
    permission_classes = [IsGuard]
    parser_classes = [MultiPartParser]

    def get_queryset(self) -> GuardReportQuerySet:
        """Return the guard's own reports."""
        if getattr(self, "swagger_fake_view", False):
            return super().get_queryset().none()
        return super().get_queryset().filter(guard=guard_of(self.request))

    @extend_schema(
        summary="Send a report",
        description="The report is saved with its files at once; what becomes of the files is known soon after.",
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
        summary="The reports of a guard, who must be the one of X-Guard-ID",
        responses=GuardReportSerializer(many=True),
        filters=True,
    )
    @action(detail=False, url_path="by-guard/<int:guard_id>")
    def by_guard(self, request: Request, guard_id: int) -> Response:
        """List a guard's reports."""
        if guard_id != guard_of(request).pk:
            raise PermissionDenied(_("A guard sees no reports of others: ask with the id of X-Guard-ID."))
        return self.list(request)


@extend_schema(tags=["guard reports"])
@extend_schema_view(
    list=extend_schema(summary="Reports"),
    retrieve=extend_schema(summary="One report"),
    update=extend_schema(summary="Change a report's note, or make it an incident"),
    partial_update=extend_schema(summary="Change a report's note, or make it an incident"),
    destroy=extend_schema(summary="Take a report out of use"),
)
class BackOfficeGuardReportViewSet(
    SoftDeleteMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    GuardReportViewSet,
):
    """Reports of all guards: read, note changed, made an incident, taken out of use."""

    serializer_class = BackOfficeReportSerializer

    def get_queryset(self) -> GuardReportQuerySet:
        """Return the reports in use, with whom was asked of an incident, and how far the processing is."""
        return with_processing(super().get_queryset().prefetch_related("inquiries__user"))
