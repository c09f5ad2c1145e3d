"""The product's console hooks: search by report and guard, open incidents, masked links."""

import re
from collections.abc import Iterator

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from incidents.queries import OpenIncident, open_incidents
from qu_workflows.console.hooks import (
    ConsoleHooks,
    Need,
    SearchKind,
    SearchTexts,
    Subjects,
    SubjectsFound,
    first_of,
    register,
)
from reports.queries import guard_numbered, guards_called, guards_of, report_ids_of

_NUMBER = re.compile(r"[0-9]{1,18}")
_SIGNED_LINK = re.compile(
    r"(?:(?<=/reports/)|(?<=/incidents/)|(?<=/files/))[\w-]+(?::|%3[aA])[\w-]+(?::|%3[aA])[\w-]{20,}"
)
_API_KEY = re.compile(r"\b[0-9a-f]{8}\.[\w-]{43}(?![\w-])")  # core.authentication.issue_api_key


def find_report(text: str) -> SubjectsFound | None:
    """Return the report with a number."""
    if not _NUMBER.fullmatch(text):
        return None
    return SubjectsFound(_("report %(id)s") % {"id": int(text)}, (int(text),))


def find_reports_of_guards(text: str) -> SubjectsFound | None:
    """Return the reports of the guard with a number, or of guards by name."""
    if _NUMBER.fullmatch(text):
        guard = guard_numbered(int(text))
        guards = [guard] if guard else []
    else:
        guards = guards_called(text)
    if not guards:
        return None
    names = first_of([f"{guard} ({guard.pk})" for guard in guards])
    return SubjectsFound(_("reports of guard %(names)s") % {"names": names}, report_ids_of(guards))


def report_url(report_id: int) -> str:
    """Return the report's page in the back office."""
    return reverse("admin:reports_guardreport_change", args=[report_id])


def guard_of(report_id: int) -> str:
    """Return the name of a report's guard, "" if the report was deleted."""
    return guards_of([report_id]).get(report_id, "")


def incidents() -> Iterator[Need]:
    """Yield unacknowledged incidents and the number of further ones, by one query."""
    found = open_incidents()
    for incident in found.shown:
        yield _need(incident)
    if more := found.count - len(found.shown):
        what = ngettext("%(count)s more incident", "%(count)s more incidents", more) % {"count": more}
        url = reverse("admin:reports_guardreport_changelist") + "?is_incident__exact=1"
        yield Need("incidents", "error", more, what, _("They are not acknowledged."), url, _("See the reports"))


def _need(incident: OpenIncident) -> Need:
    what = _("Incident: report %(id)s") % {"id": incident.report_id}
    if incident.property:
        what = f"{what}, {incident.property}"
    why = (
        _("It is not acknowledged yet; a person is being asked.")
        if incident.is_asked
        else _("It is not acknowledged, and no person is being asked.")
    )
    return Need(
        kind="incident",
        level="warning" if incident.is_asked else "error",
        count=1,
        what=what,
        why=why,
        url=report_url(incident.report_id),
        do=_("Acknowledge it"),
        since=incident.reported_at,
    )


register(
    ConsoleHooks(
        subjects=Subjects(
            kind="report",
            heading=gettext_lazy("Report"),
            url=report_url,
            permission="reports.view_guardreport",
            link_title=gettext_lazy("The report in the back office"),
            describe=guard_of,
        ),
        search_kinds=(
            SearchKind("report", find_report, before_tasks=True),
            SearchKind("guard", find_reports_of_guards),
        ),
        search_texts=SearchTexts(
            label=gettext_lazy("Report, guard, task id, error or execution ARN"),
            placeholder=gettext_lazy("Report, guard, task id, error"),
            help=gettext_lazy("A number is a report. Or name the kind:"),
            examples=("report:7", "guard:7", "guard:Ana", "task:019ab1", "error:ReportNotFound"),
            not_found=gettext_lazy(
                "No task has a report, task id, error or guard “%(text)s”. Enter the full number of a report, at least "
                "four characters of a task id, or a part of the name of an error or a guard."
            ),
        ),
        needs=incidents,
        secret_patterns=(_SIGNED_LINK, _API_KEY),
    )
)
