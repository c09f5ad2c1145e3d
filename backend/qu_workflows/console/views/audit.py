"""The audit log: actor, action, target, time and outcome."""

from dataclasses import replace
from datetime import datetime

from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext as _

from qu_workflows.console.access import page
from qu_workflows.console.masking import mask
from qu_workflows.console.responses import Page
from qu_workflows.executions.queries import read_moment
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.models import AuditAction, AuditOutcome
from qu_workflows.records.queries import AuditFilter, AuditPage, list_audit


@page
def audit(request: HttpRequest) -> Page:
    """Show entries of the audit log."""
    problem, found = "", AuditPage((), "")
    try:
        found = list_audit(_filter(request.GET), page=request.GET.get("page", ""))
    except OperationRefused as refused:
        problem = str(refused)
    entries = [replace(row, message=mask(row.message), details=mask(row.details)) for row in found.rows]
    data = {"entries": entries, "next_page": found.next_page, "problem": problem}
    context = {
        "given": request.GET,
        "actions": AuditAction.choices,
        "outcomes": AuditOutcome.choices,
        "has_filter": any(value for key, value in request.GET.items() if key != "page"),
    }
    status = 400 if problem else 200
    return Page(template="console/audit.html", title=_("Audit"), data=data, context=context, status=status)


def _filter(query: QueryDict) -> AuditFilter:
    return AuditFilter(
        actor=query.get("actor", "").strip(),
        action=query.get("action", ""),
        outcome=query.get("outcome", ""),
        target=query.get("target", "").strip(),
        batch=query.get("batch", "").strip(),
        since=_moment(query, "since"),
        until=_moment(query, "until"),
    )


def _moment(query: QueryDict, name: str) -> datetime | None:
    given = query.get(name, "").strip()
    return read_moment(given, name) if given else None
