"""The error pages of the console, and JSON for requests of a twin; Django's own pages for the rest of a site.

A site may name them as its ``handler404``, ``handler500`` and CSRF_FAILURE_VIEW.
"""

from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views import csrf, defaults

from qu_workflows.console.access import holds
from qu_workflows.console.responses import is_console, problem, wants_json


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer 404, in the console with what a view said of it."""
    if not _answers(request):
        return defaults.page_not_found(request, exception)
    said = exception.args[0] if exception.args and not isinstance(exception.args[0], dict) else ""
    sentence = str(said) or _("There is nothing at this address.")
    return problem(request, 404, _("Not found"), sentence, _("Search for it above, or begin at the overview."))


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Answer 500, in the console with a page that needs neither the session nor the database."""
    if not is_console(request):
        return defaults.server_error(request)
    sentence = _("Something went wrong here. It is logged. Nothing more is known; try again in a moment.")
    if wants_json(request):
        return JsonResponse({"detail": sentence}, status=500)
    return render(None, "console/broken.html", {"title": _("Error"), "problem": sentence}, status=500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    """Answer 403 to a form whose token is missing or old."""
    if not _answers(request):
        return csrf.csrf_failure(request, reason)
    return problem(
        request,
        403,
        _("Form too old"),
        _("This form did not come from a page of this session. Nothing was done."),
        _("Open the page again, and send the form from there. Cookies must be allowed."),
    )


def _answers(request: HttpRequest) -> bool:
    """Return whether the console answers: at its addresses, to users who may see it."""
    return is_console(request) and hasattr(request, "user") and holds(request)
