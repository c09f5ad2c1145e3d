"""Task records in the admin: to be read, never written."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from executions.models import TaskRecord
from executions.registry import registered_tasks

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[TaskRecord]
else:  # generic only in the stubs
    _ModelAdmin = admin.ModelAdmin


class TaskFilter(admin.SimpleListFilter):
    """Choose a task by name, without asking the table which names it holds."""

    title = _("task")
    parameter_name = "task"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002  Django's signature
        """Return the names of the registered tasks."""
        return [(name, name) for name in registered_tasks()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[TaskRecord]) -> QuerySet[TaskRecord]:  # noqa: ARG002  Django's signature
        """Return the records of the chosen task."""
        return queryset.filter(task=self.value()) if self.value() else queryset


@admin.register(TaskRecord)
class TaskRecordAdmin(_ModelAdmin):
    """Tasks by status, name and time; found by id, report or error."""

    list_display = ["id", "task", "status", "report_id", "enqueued_at", "started_at", "finished_at", "error"]
    list_filter = ["status", TaskFilter, "ran_inline", "enqueued_at"]
    search_fields = ["id__exact", "execution_arn__endswith", "error__iexact", "report_id__exact"]
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
