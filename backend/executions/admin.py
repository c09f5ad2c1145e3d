"""Task records in the admin: to be read, never written."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest

from executions.models import TaskRecord

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[TaskRecord]
else:  # generic only in the stubs
    _ModelAdmin = admin.ModelAdmin


@admin.register(TaskRecord)
class TaskRecordAdmin(_ModelAdmin):
    """Tasks by status, name and time; found by id, report or error."""

    list_display = ["id", "task", "status", "report_id", "enqueued_at", "started_at", "finished_at", "error"]
    list_filter = ["status", "task", "workflow", "ran_inline", "enqueued_at"]
    search_fields = ["id__startswith", "execution_arn__endswith", "error__iexact", "report_id__exact"]
    date_hierarchy = None  # it counts every row; the filter on the time does not
    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002  Django's signature
        """Return False: a task is added by enqueueing it."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002  Django's signature
        """Return False: a record says what happened."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002  Django's signature
        """Return False: a record says what happened."""
        return False
