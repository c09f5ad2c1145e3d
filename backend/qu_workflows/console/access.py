"""Access control of the console: one permission per right, none implied by being staff.

Templates leave out what a user has no right to: ``{% if perms.executions.stop_execution %}``. That is courtesy; the
check here, at every request, is what refuses.
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

from qu_workflows.console.responses import Page, answer, is_htmx, problem, root

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
    return _guarded(view, require_safe, Right.VIEW)


def action(*rights: Right) -> Callable[[View], Endpoint]:
    """Make a view of an action: POST alone, with Django's CSRF check, for staff with these rights and that to view."""
    return lambda view: _guarded(view, require_POST, Right.VIEW, *rights)


def _guarded(view: View, of_method: Callable[[Endpoint], Endpoint], *rights: Right) -> Endpoint:
    @wraps(view)
    def endpoint(request: HttpRequest, *args: Any, as_json: bool = False, **kwargs: Any) -> HttpResponseBase:
        refusal = refusal_of(request, *rights)
        return refusal or answer(request, view(request, *args, **kwargs), as_json=as_json)

    guarded = of_method(endpoint)
    _rights[guarded] = rights
    return guarded


def rights_of(endpoint: Endpoint) -> tuple[Right, ...]:
    """Return the rights that an endpoint asks for, () for one that was made by neither ``page`` nor ``action``."""
    return _rights.get(endpoint, ())


def holds(request: HttpRequest, *rights: Right) -> bool:
    """Return whether the user has these rights, and may see the console at all."""
    user = request.user
    return user.is_active and _is_staff(request) and all(user.has_perm(right) for right in (Right.VIEW, *rights))


def actor_of(request: HttpRequest) -> str:
    """Return the user's name as the audit table keeps it."""
    return request.user.get_username()


def refusal_of(request: HttpRequest, *rights: Right) -> HttpResponseBase | None:
    """Return the answer to a user without these rights: the sign-in page, or 403 with what is missing; else None.

    For a view that takes the right of an action from its form; ``page`` and ``action`` have asked already.
    """
    if not request.user.is_authenticated:
        return _sign_in(request)
    is_staff = getattr(request.user, "is_staff", False)
    missing = [
        *([] if is_staff else [_("staff status")]),
        *(right for right in rights if not request.user.has_perm(right)),
    ]
    if not missing:
        return None
    return problem(
        request,
        403,
        _("No access"),
        _("Your account lacks: %(rights)s.") % {"rights": ", ".join(missing)},
        _("Ask an administrator of the site for it."),
    )


def _is_staff(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_staff", False))  # a host's own user model may have no such field


def _sign_in(request: HttpRequest) -> HttpResponse:
    """Return the way to LOGIN_URL and back: to the page, or to the one whose form was sent."""
    came_from = urlsplit(request.headers.get("HX-Current-URL") or request.headers.get("Referer", ""))
    back = request.get_full_path()
    if request.method != "GET" or is_htmx(request):  # not an address that a browser can open by itself
        is_here = came_from.netloc == request.get_host() and came_from.path.startswith(root())
        back = urlunsplit(("", "", came_from.path, came_from.query, "")) if is_here else root()
    redirect = redirect_to_login(back)
    if not is_htmx(request):
        return redirect
    # htmx would follow a redirect, and put the sign-in page in place of the part it asked for.
    return HttpResponse(status=401, headers={"HX-Redirect": redirect.url})
