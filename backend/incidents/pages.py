"""The page where a supervisor answers an inquiry. The signed link authorizes the answer.

Opening it changes nothing, since mail programs open links automatically. The form has no CSRF token: the link itself is
the secret, and browsers inside mail programs may refuse cookies.
"""

import logging
from collections.abc import Callable
from typing import Any

from django.core.signing import BadSignature, SignatureExpired
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from core.models import language_of, name_of
from incidents.services import InquiryOver, acknowledge, give_sign, is_over
from qu_workflows.aws.task_tokens import StepFunctionsUnavailable
from reports.links import read_incident_token, report_url
from reports.models import GuardReport, IncidentInquiry, InquiryStatus
from reports.pages import page_picture, private, refusal
from reports.presentation import format_clock, incident_title, present
from reports.services import may_read

# As of a report's page, but its form may be sent to this site.
_POLICY = "default-src 'none'; img-src *; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'"
RETRY_AFTER_SECONDS = 10
_ANSWERS: dict[str, Callable[[int], IncidentInquiry]] = {"acknowledge": acknowledge, "sign": give_sign}

logger = logging.getLogger(__name__)


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def incident_page(request: HttpRequest, token: str) -> HttpResponse:
    """Show an incident to the person asked, and record the answer."""
    try:
        inquiry_id = read_incident_token(token)
    except SignatureExpired:
        return refusal(request, 410, _("This link has expired"), _("Ask the security office about the incident."))
    except BadSignature:
        return _no_incident(request)
    inquiry = _find(inquiry_id)
    if inquiry is None:
        return _no_incident(request)
    with translation.override(language_of(inquiry.user)):
        return _answer(request, inquiry) if request.method == "POST" else _show(request, inquiry)


def _find(inquiry_id: int) -> IncidentInquiry | None:
    inquiries = IncidentInquiry.objects.select_related("user__profile")
    inquiry = inquiries.filter(pk=inquiry_id, user__is_active=True).first()
    if inquiry is None:
        return None
    report = GuardReport.objects.active().for_reading().filter(pk=inquiry.report_id).first()
    if report is None or not may_read(report, inquiry.user):
        return None
    inquiry.report = report
    return inquiry


def _answer(request: HttpRequest, inquiry: IncidentInquiry) -> HttpResponse:
    give = _ANSWERS.get(request.POST.get("answer", ""))
    if give is None:
        return _show(request, inquiry, 400, _("Nothing was saved: choose one of the two answers."))
    try:
        give(inquiry.pk)
    except InquiryOver:
        return _show(request, _find(inquiry.pk) or inquiry, over=True)
    except StepFunctionsUnavailable:
        logger.exception("The answer to inquiry %s could not be sent to Step Functions.", inquiry.pk)
        page = _show(request, inquiry, 503, _("Your answer could not be saved just now. Please try again."))
        page["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return page
    return private(HttpResponseRedirect(request.path))  # a reload sends nothing again


def _show(
    request: HttpRequest, inquiry: IncidentInquiry, status: int = 200, notice: str = "", *, over: bool = False
) -> HttpResponse:
    """Return the page: with both buttons during the turn, else with the outcome.

    200 with the buttons, or for the person who acknowledged; 410 after another acknowledgement or the end of the turn.
    """
    report, now = inquiry.report, timezone.now()
    outcome, remedy = "", ""
    if report.acknowledged_at is not None:
        outcome = _acknowledged(inquiry)
        status = 200 if report.acknowledged_by_id == inquiry.user_id else 410
    elif over or is_over(inquiry, now):
        outcome, remedy, status = _("Your time to answer is over"), _who_is_asked(inquiry), 410
    texts = {"outcome": outcome, "remedy": remedy, "notice": "" if outcome else notice}
    page = render(request, "reports/incident.html", _context(inquiry) | texts, status=status)
    page["Content-Security-Policy"] = _POLICY
    return private(page)


def _context(inquiry: IncidentInquiry) -> dict[str, Any]:
    report, now = inquiry.report, timezone.now()
    shown = present(report)
    return {
        "shown": shown,
        "title": incident_title(report),
        "pictures": [page_picture(file) for file in shown.pictures],
        "report_url": report_url(report.pk, inquiry.user_id),
        "person": name_of(inquiry.user),
        "answer_by": format_clock(inquiry.answer_by, report, now),
        "sign_by": format_clock(inquiry.sign_by, report, now),
        "signed_at": format_clock(inquiry.seen_at, report, now) if inquiry.seen_at else "",
    }


def _acknowledged(inquiry: IncidentInquiry) -> str:
    report = inquiry.report
    moment = format_clock(report.acknowledged_at or timezone.now(), report, timezone.now())
    if report.acknowledged_by_id == inquiry.user_id:
        return _("You have acknowledged this at %(time)s") % {"time": moment}
    if report.acknowledged_by is None:
        return _("This was acknowledged at %(time)s") % {"time": moment}
    return _("%(person)s has acknowledged this at %(time)s") % {
        "person": name_of(report.acknowledged_by),
        "time": moment,
    }


def _who_is_asked(inquiry: IncidentInquiry) -> str:
    others = IncidentInquiry.objects.filter(report=inquiry.report, status=InquiryStatus.ASKED).exclude(pk=inquiry.pk)
    now = timezone.now()
    asked = others.select_related("user").filter(answer_by__gt=now, sign_by__gt=now).order_by("-asked_at").first()
    if asked is None:
        return _("It is not acknowledged yet. Call the security office, or open this page again in a moment.")
    by = format_clock(min(asked.answer_by, asked.sign_by), inquiry.report, now)
    return _("%(person)s is asked now, until %(time)s.") % {"person": name_of(asked.user), "time": by}


def _no_incident(request: HttpRequest) -> HttpResponse:
    problem = _("There is no such incident")
    return refusal(request, 404, problem, _("Open the link in the mail without changing it."))
