"""What the console answers when it can not do what was asked: in its own look, or as JSON to who asked for JSON."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from qu_workflows.console.responses import wants_json


def problem(request: HttpRequest, status: int, title: str, sentence: str, remedy: str = "") -> HttpResponse:
    """Return a page, or an object with ``detail``, that says what is wrong and what to do."""
    if wants_json(request):
        return JsonResponse({"detail": f"{sentence} {remedy}".strip()}, status=status)
    context = {"title": title, "problem": sentence, "remedy": remedy}
    return render(request, "console/refused.html", context, status=status)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404, with what a view said of it."""
    said = exception.args[0] if exception.args and not isinstance(exception.args[0], dict) else ""
    sentence = str(said) or _("There is nothing at this address.")
    return problem(request, 404, _("Not found"), sentence, _("Search for it above, or begin at the overview."))


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500 with a page that needs nothing: neither the session nor the database."""
    sentence = _("Something went wrong here. It is logged. Nothing more is known; try again in a moment.")
    if wants_json(request):
        return JsonResponse({"detail": sentence}, status=500)
    page = render_to_string("console/broken.html", {"title": _("Error"), "problem": sentence})
    return HttpResponse(page, status=500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001  Django's signature
    """Answer 403 to a form whose token is missing or old."""
    return problem(
        request,
        403,
        _("Form too old"),
        _("This form did not come from a page of this session. Nothing was done."),
        _("Open the page again, and send the form from there. Cookies must be allowed."),
    )
