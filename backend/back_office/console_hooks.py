"""What the product adds to the console: tasks by report and guard, open incidents, the signed links to mask."""

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
_SIGNED_LINK = re.compile(r"(?:(?<=/reports/)|(?<=/incidents/)|(?<=/files/))[\w-]+:[\w-]+:[\w-]{20,}")


def find_report(text: str) -> SubjectsFound | None:
    """Return the report of a number."""
    if not _NUMBER.fullmatch(text):
        return None
    return SubjectsFound(_("report %(id)s") % {"id": int(text)}, (int(text),))


def find_reports_of_guards(text: str) -> SubjectsFound | None:
    """Return the reports of the guard of a number, or of those whose name holds each word."""
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
    """Return the name of the guard who wrote a report, "" where it is gone."""
    return guards_of([report_id]).get(report_id, "")


def incidents() -> Iterator[Need]:
    """Yield the incidents that nobody has acknowledged, and how many more there are; by one query."""
    found = open_incidents()
    for incident in found.shown:
        yield _need(incident)
    if more := found.count - len(found.shown):
        what = ngettext("%(count)s more incident", "%(count)s more incidents", more) % {"count": more}
        url = reverse("admin:reports_guardreport_changelist") + "?is_incident__exact=1"
        yield Need("incidents", "error", more, what, _("Nobody has acknowledged them."), url, _("See the reports"))


def _need(incident: OpenIncident) -> Need:
    what = _("Incident: report %(id)s") % {"id": incident.report_id}
    if incident.property:
        what = f"{what}, {incident.property}"
    why = (
        _("Nobody has acknowledged it yet; somebody is being asked.")
        if incident.is_asked
        else _("Nobody has acknowledged it, and nobody is asked.")
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
            help=gettext_lazy("A number is a report. To be exact:"),
            examples=("report:7", "guard:7", "guard:Ana", "task:019ab1", "error:ReportNotFound"),
            not_found=gettext_lazy(
                "There is no report, task id, error or guard “%(text)s” that a task belongs to. Give the whole number "
                "of a report, the first four letters of a task id or more, a part of an error's or of a guard's name."
            ),
        ),
        needs=incidents,
        secret_patterns=(_SIGNED_LINK,),
    )
)
