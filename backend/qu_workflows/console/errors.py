"""Error pages of the console, as JSON for its twins; Django's own elsewhere.

A site may use them as ``handler404``, ``handler500`` and CSRF_FAILURE_VIEW.
"""

from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views import csrf, defaults

from qu_workflows.console.access import holds
from qu_workflows.console.responses import is_console, problem, wants_json


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Return 404; in the console, with the message of the view's Http404."""
    if not _answers(request):
        return defaults.page_not_found(request, exception)
    message = exception.args[0] if exception.args and not isinstance(exception.args[0], dict) else ""
    sentence = str(message) or _("There is no page at this address.")
    return problem(request, 404, _("Not found"), sentence, _("Search for it above, or start at the overview."))


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Return 500; in the console, as a page that needs neither session nor database."""
    if not is_console(request):
        return defaults.server_error(request)
    sentence = _("An unexpected error occurred and was logged. Try again in a moment.")
    if wants_json(request):
        return JsonResponse({"detail": sentence}, status=500)
    return render(None, "console/broken.html", {"title": _("Error"), "problem": sentence}, status=500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    """Return 403 for a form with a missing or expired token."""
    if not _answers(request):
        return csrf.csrf_failure(request, reason)
    return problem(
        request,
        403,
        _("Form expired"),
        _("This form is not from a page of this session. Nothing was changed."),
        _("Reload the page and submit the form again. Cookies must be allowed."),
    )


def _answers(request: HttpRequest) -> bool:
    return is_console(request) and hasattr(request, "user") and holds(request)
