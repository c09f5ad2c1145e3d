"""Task records over HTTP, for the back office: read only."""

from django_filters.rest_framework import DjangoFilterBackend, FilterSet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.filters import OrderingFilter
from rest_framework.viewsets import ReadOnlyModelViewSet

from core.strict import IntegerFilter
from qu_workflows.records.models import TaskRecord


class TaskRecordFilter(FilterSet):
    """How lists of tasks are narrowed down."""

    report_id = IntegerFilter("subject_id", help_text="The id of a guard report.")

    class Meta:
        model = TaskRecord
        fields = ["task", "workflow", "status", "report_id"]


class TaskRecordSerializer(serializers.ModelSerializer[TaskRecord]):
    """A task, and what became of it. Its payload stays inside: it may hold personal data."""

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


@extend_schema(tags=["tasks"])
@extend_schema_view(
    list=extend_schema(summary="Tasks, the newest first"), retrieve=extend_schema(summary="One task by its id")
)
class TaskRecordViewSet(ReadOnlyModelViewSet[TaskRecord]):
    """What was enqueued, and how far it is."""

    queryset = TaskRecord.objects.all()
    serializer_class = TaskRecordSerializer
    filter_backends = [DjangoFilterBackend, OrderingFilter]
    filterset_class = TaskRecordFilter
    ordering_fields = ["enqueued_at", "finished_at"]
    ordering = ["-enqueued_at", "-id"]
    lookup_value_converter = "slug"
