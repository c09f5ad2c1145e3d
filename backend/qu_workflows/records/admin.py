"""Read-only admin pages of task records, alerts and the audit table."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from qu_workflows.protocol.project import registered_project
from qu_workflows.records.models import Alert, AuditEntry, TaskRecord
from qu_workflows.records.typed_admin import ModelAdmin


class ReadOnlyAdmin(ModelAdmin):
    """Rows that cannot be added, changed or deleted here."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002  Django's signature
        """Return False."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002  Django's signature
        """Return False."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002  Django's signature
        """Return False."""
        return False


class TaskNameFilter(admin.SimpleListFilter):
    """A filter by task name, from the catalog instead of a scan of the table."""

    title = _("task")
    parameter_name = "task"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002  Django's signature
        """Return the names in the catalog."""
        return [(name, name) for name in registered_project().catalog]

    def queryset(self, request: HttpRequest, queryset: QuerySet[TaskRecord]) -> QuerySet[TaskRecord]:  # noqa: ARG002  Django's signature
        """Return the records of the chosen task."""
        return queryset.filter(task=self.value()) if self.value() else queryset


@admin.register(TaskRecord)
class TaskRecordAdmin(ReadOnlyAdmin):
    """Tasks by status, name and time, searched by id, ARN, error or subject."""

    list_display = ["id", "task", "status", "subject_id", "enqueued_at", "started_at", "finished_at", "error"]
    list_filter = ["status", TaskNameFilter, "ran_inline", "enqueued_at"]
    search_fields = ["id__exact", "execution_arn__endswith", "error__iexact", "subject_id__exact"]
    date_hierarchy = None  # it would count every row
    show_full_result_count = False
    list_per_page = 50


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    """The alerts sent to operations."""

    list_display = ["opened_at", "closed_at", "mailed_at", "kinds"]
    list_filter = [("closed_at", admin.EmptyFieldListFilter)]
    fields = ["opened_at", "mailed_at", "closed_at", "kinds", "findings"]

    @admin.display(description=_("stuck"))
    def kinds(self, alert: Alert) -> str:
        """Return the number of stuck things by kind, now or when the alert was closed."""
        return ", ".join(f"{kind} ({finding['count']})" for kind, finding in alert.findings.items())


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """The audit table, searched by target, actor or batch."""

    list_display = ["at", "actor", "action", "target", "outcome", "message"]
    list_filter = ["action", "outcome", "at"]
    search_fields = ["target__exact", "actor__istartswith", "batch__exact"]
    show_full_result_count = False
    list_per_page = 50
