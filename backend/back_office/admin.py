"""The admin of guard reports."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import Truncator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from core.admin import SoftDeleteAdmin
from incidents.services import acknowledge_for_staff, mark_incident
from qu_workflows.aws.task_tokens import StepFunctionsUnavailable
from qu_workflows.records.typed_admin import StackedInline
from reports.contradictions import contradictions_of
from reports.files.storage import objects, original_url
from reports.models import GuardReport, IncidentInquiry, ReportFile, Thumbnail
from reports.presentation import present_file, type_name
from reports.queries import console_path, tasks_about
from reports.services import enqueue_processing

if TYPE_CHECKING:
    _ReportForm = forms.ModelForm[GuardReport]
else:  # generic only in the stubs
    _ReportForm = forms.ModelForm


class ReportFileInline(StackedInline):
    """The files of a report with their thumbnails, read-only."""

    model = ReportFile
    fields = [("preview", "download"), ("status", "reason"), "facts", "capture", "digest"]
    readonly_fields = ["download", "preview", "status", "reason", "facts", "capture", "digest"]
    extra = 0
    can_delete = False
    show_change_link = False

    def has_add_permission(self, request: HttpRequest, obj: GuardReport | None = None) -> bool:  # noqa: ARG002  Django's signature
        """Refuse: guards send files with the report."""
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[ReportFile]:
        """Return the files with their thumbnails and the property, for its time zone."""
        return super().get_queryset(request).select_related("report__property").prefetch_related("thumbnails")

    @admin.display(description=_("file"))
    def download(self, file: ReportFile) -> SafeString:
        """Return a link to the file."""
        return format_html('<a href="{}">{}</a>', original_url(file), file.name)

    @admin.display(description=_("thumbnails"))
    def preview(self, file: ReportFile) -> SafeString | str:
        """Return the smallest thumbnail with links to all."""
        shown = present_file(file)
        stills = shown.stills()
        if not stills:
            return gettext(file.thumbnails_reason) if file.thumbnails_reason else "-"
        smallest = format_html(
            '<img src="{}" width="{}" height="{}" alt="" loading="lazy" style="max-width:100%;height:auto">',
            objects().url(stills[0].key),
            stills[0].width,
            stills[0].height,
        )
        made = [*stills, *([shown.preview] if shown.preview else [])]
        links = [(objects().url(one.key), _thumbnail_in_words(one)) for one in made]
        mark = format_html("<br>▶ {}", shown.play) if shown.play else ""
        return format_html("{}{}<br>{}", smallest, mark, format_html_join(" · ", '<a href="{}">{}</a>', links))

    @admin.display(description=_("facts"))
    def facts(self, file: ReportFile) -> str:
        """Return the facts about the content."""
        return " · ".join(part for part in (present_file(file).facts, file.media_type) if part)

    @admin.display(description=_("taken"))
    def capture(self, file: ReportFile) -> SafeString | str:
        """Return the time, the camera and the place of the file's metadata."""
        shown = present_file(file)
        if not shown.map_url:
            return shown.taken or "-"
        link = '{}{}<a href="{}" rel="noreferrer noopener" target="_blank">{}</a> ({})'
        return format_html(
            link, shown.taken, " · " if shown.taken else "", shown.map_url, gettext("Show on a map"), shown.coordinates
        )

    @admin.display(description=_("SHA-256"))
    def digest(self, file: ReportFile) -> SafeString | str:
        """Return the digest, which wraps on narrow screens."""
        return format_html('<code style="overflow-wrap:anywhere">{}</code>', file.sha256) if file.sha256 else "-"


def _thumbnail_in_words(made: Thumbnail) -> str:
    return f"{made.size} {type_name(made.media_type)} ({made.width} x {made.height})"


class IncidentInquiryInline(StackedInline):
    """The inquiries about an incident and their outcomes, read-only."""

    model = IncidentInquiry
    fields = [("turn", "user", "status"), ("asked_at", "sign_by", "answer_by"), ("seen_at", "acknowledged_at")]
    readonly_fields = [name for row in fields for name in row]
    extra = 0
    can_delete = False
    show_change_link = False

    def has_add_permission(self, request: HttpRequest, obj: GuardReport | None = None) -> bool:  # noqa: ARG002  Django's signature
        """Refuse: the workflow creates inquiries."""
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[IncidentInquiry]:
        """Return the inquiries with their users."""
        return super().get_queryset(request).select_related("user", "report")


class GuardReportForm(_ReportForm):
    """A report's fields; an evidence hold needs a reason."""

    def clean(self) -> dict[str, Any]:
        """Refuse an evidence hold without a reason."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if given.get("evidence_hold") and not given.get("evidence_hold_reason", "").strip():
            self.add_error(
                "evidence_hold_reason",
                _("Enter why the report is held, such as the number of the case, or lift the hold."),
            )
        return given


@admin.register(GuardReport)
class GuardReportAdmin(SoftDeleteAdmin):
    """Guard reports."""

    form = GuardReportForm
    list_display = [
        "report_datetime",
        "guard",
        "property",
        "short_note",
        "file_count",
        "is_processed",
        "is_incident",
        "is_active",
    ]
    fields = [
        ("guard", "shift", "property"),
        "note",
        "report_datetime",
        ("latitude", "longitude"),
        ("is_incident", "acknowledged_by", "acknowledged_at"),
        ("evidence_hold", "evidence_hold_reason"),
        "contradictions",
        ("processed_at", "created_at", "updated_at"),
        "is_active",
    ]
    list_filter = [
        "is_active",
        "is_incident",
        ("acknowledged_at", admin.EmptyFieldListFilter),
        "evidence_hold",
        ("processed_at", admin.EmptyFieldListFilter),
        "property",
    ]
    list_select_related = ["guard__user", "property"]
    date_hierarchy = "report_datetime"
    search_fields = ["note", "property__name", "property__alias", "guard__user__last_name", "files__name"]
    autocomplete_fields = ["guard", "property", "shift"]
    readonly_fields = [
        "acknowledged_by",
        "acknowledged_at",
        "contradictions",
        "processed_at",
        "created_at",
        "updated_at",
    ]
    inlines = [IncidentInquiryInline, ReportFileInline]
    actions = ["deactivate", "process_again", "acknowledge"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[GuardReport]:
        """Return the reports with the number of their files."""
        reports: QuerySet[GuardReport] = super().get_queryset(request)
        return reports.annotate(files_total=Count("files"))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> GuardReport | None:
        """Return a report, locked while it is being saved, so that no sweep removes it."""
        if request.method == "POST" and connection.in_atomic_block:
            locked = super().get_queryset(request).order_by().select_for_update(no_key=True)
            with suppress(ValueError):  # an invalid id: Django reports it
                locked.filter(pk=object_id).values_list("pk").first()
        report: GuardReport | None = super().get_object(request, object_id, from_field)
        return report

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002  Django's signature
        """Refuse: guards send reports with the mobile app."""
        return False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the tasks about the report above its form."""
        tasks = tasks_about(int(object_id)) if object_id.isdecimal() else []
        context = {"tasks": [(task, console_path(task.pk, request.user)) for task in tasks]}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **context})

    def save_model(self, request: HttpRequest, obj: GuardReport, form: Any, change: bool) -> None:  # noqa: ARG002  Django's signature
        """Save the changed fields only: the workflow may be changing others."""
        changed = [name for name in form.changed_data if name != "is_incident"]
        obj.save(update_fields=[*changed, "updated_at"])
        if "is_incident" in form.changed_data:
            mark_incident(obj.pk)

    def get_readonly_fields(self, request: HttpRequest, obj: GuardReport | None = None) -> list[str]:  # noqa: ARG002  Django's signature
        """Make ``is_incident`` read-only for an incident."""
        return [*self.readonly_fields, *(["is_incident"] if obj is not None and obj.is_incident else [])]

    @admin.display(description=_("contradictions"))
    def contradictions(self, report: GuardReport) -> SafeString | str:
        """Return the contradictions in the report and its files."""
        sentences = [(found.sentence,) for found in contradictions_of([report])[report.pk]]
        return format_html_join(mark_safe("<br>"), "{}", sentences) if sentences else "-"

    @admin.display(description=_("note"))
    def short_note(self, report: GuardReport) -> str:
        """Return the start of the note."""
        return Truncator(report.note).chars(40)

    @admin.display(description=_("processed"), boolean=True)
    def is_processed(self, report: GuardReport) -> bool:
        """Return whether the files were processed."""
        return report.processed_at is not None

    @admin.display(description=_("files"))
    def file_count(self, report: GuardReport) -> int:
        """Return the number of files."""
        count: int = getattr(report, "files_total")  # noqa: B009  annotated by get_queryset
        return count

    @admin.action(description=_("Process the selected reports again"), permissions=["change"])
    def process_again(self, request: HttpRequest, reports: QuerySet[GuardReport]) -> None:
        """Enqueue the processing again. Mails that were sent are not sent again."""
        enqueued = [enqueue_processing(report) for report in reports]
        count = len([task_id for task_id in enqueued if task_id])
        message = ngettext("%(count)s report was enqueued.", "%(count)s reports were enqueued.", count)
        self.message_user(
            request, message % {"count": count}, messages.SUCCESS if count == len(enqueued) else messages.ERROR
        )

    @admin.action(description=_("Acknowledge the selected incidents"), permissions=["change"])
    def acknowledge(self, request: HttpRequest, reports: QuerySet[GuardReport]) -> None:
        """Acknowledge incidents as the signed-in user, and end their current turns."""
        user = request.user
        if not isinstance(user, User):
            return
        try:
            count = len([report.pk for report in reports if acknowledge_for_staff(report.pk, user)])
        except StepFunctionsUnavailable:
            self.message_user(request, _("Step Functions could not be reached. Please try again."), messages.ERROR)
            return
        message = ngettext("%(count)s incident was acknowledged.", "%(count)s incidents were acknowledged.", count)
        self.message_user(request, message % {"count": count}, messages.SUCCESS)
