"""Who may see and do what in the console: each right its own, none implied by being staff.

Templates leave out what somebody has no right to: ``{% if perms.executions.stop_execution %}``. That is courtesy;
what keeps them from it is the check here, at every request.
"""

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from qu_workflows.console.errors import problem
from qu_workflows.console.responses import ROOT, Page, answer, is_htmx

type View = Callable[..., Page | HttpResponseBase]
type Endpoint = Callable[..., HttpResponseBase]


class Right(StrEnum):
    """The rights of the console, by the names of Django's permissions."""

    VIEW = "executions.view_console"
    REDRIVE = "executions.redrive_execution"  # restart, and dead letters, too
    STOP = "executions.stop_execution"
    PURGE = "executions.purge_dead_letter"
    SCHEDULE = "executions.change_schedule"


_rights: dict[Endpoint, tuple[Right, ...]] = {}


def page(view: View) -> Endpoint:
    """Make a view of a page: GET alone, for staff with the right to view; ``as_json`` asks for its JSON twin."""

    @require_safe
    @wraps(view)
    def endpoint(request: HttpRequest, *args: Any, as_json: bool = False, **kwargs: Any) -> HttpResponseBase:
        refusal = refusal_of(request, Right.VIEW)
        if refusal is not None:
            return refusal
        return answer(request, view(request, *args, **kwargs), as_json=as_json)

    _rights[endpoint] = (Right.VIEW,)
    return endpoint


def action(*rights: Right) -> Callable[[View], Endpoint]:
    """Make a view of an act: POST alone, with Django's CSRF check, for staff with these rights and that to view."""

    def decorate(view: View) -> Endpoint:
        @require_POST
        @wraps(view)
        def endpoint(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            refusal = refusal_of(request, Right.VIEW, *rights)
            if refusal is not None:
                return refusal
            return answer(request, view(request, *args, **kwargs), as_json=False)

        _rights[endpoint] = (Right.VIEW, *rights)
        return endpoint

    return decorate


def rights_of(endpoint: Endpoint) -> tuple[Right, ...]:
    """Return the rights that an endpoint asks for, () for one that was made by neither ``page`` nor ``action``."""
    return _rights.get(endpoint, ())


def holds(request: HttpRequest, *rights: Right) -> bool:
    """Return whether who is signed in has these rights, and may see the console at all."""
    user = request.user
    return user.is_active and user.is_staff and all(user.has_perm(right) for right in (Right.VIEW, *rights))


def actor_of(request: HttpRequest) -> str:
    """Return the name that the audit table keeps of who acts."""
    return request.user.get_username()


def refusal_of(request: HttpRequest, *rights: Right) -> HttpResponse | None:
    """Return the answer to somebody without these rights: sign in, or 403 saying what is lacking; None if all is well.

    For a view that learns only from the form which right an act takes; ``page`` and ``action`` have asked already.
    """
    if not request.user.is_authenticated:
        return _sign_in(request)
    missing = [right for right in rights if not request.user.has_perm(right)]
    if request.user.is_staff and not missing:
        return None
    names = ", ".join(missing) if request.user.is_staff else ", ".join([_("staff status"), *missing])
    return problem(
        request,
        403,
        _("No access"),
        _("Your account lacks: %(rights)s.") % {"rights": names},
        _("Ask who administers the back office for it."),
    )


def _sign_in(request: HttpRequest) -> HttpResponse:
    """Return the way to the sign-in page and back: to the page, or to the one whose form was sent."""
    came_from = urlsplit(request.headers.get("HX-Current-URL") or request.headers.get("Referer", ""))
    back = request.get_full_path()
    if request.method != "GET" or is_htmx(request):  # not an address that a browser can open by itself
        is_here = came_from.netloc == request.get_host() and came_from.path.startswith(ROOT)
        back = urlunsplit(("", "", came_from.path, came_from.query, "")) if is_here else ROOT
    redirect = redirect_to_login(back, login_url="admin:login")
    if not is_htmx(request):
        return redirect
    # htmx would follow a redirect, and put the sign-in page in place of the part it asked for.
    return HttpResponse(status=401, headers={"HX-Redirect": redirect.url})
