"""Access control of the console: one permission per right; staff status implies none.

Templates hide what a user has no right to, but the check here protects every request.
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
from qu_workflows.records.audit import MAX_ACTOR_LENGTH

type View = Callable[..., Page | HttpResponseBase]
type Endpoint = Callable[..., HttpResponseBase]


class Right(StrEnum):
    """The rights of the console, which are Django permissions."""

    VIEW = "executions.view_console"
    REDRIVE = "executions.redrive_execution"  # also to restart, and to redrive dead letters
    STOP = "executions.stop_execution"
    PURGE = "executions.purge_dead_letter"
    SCHEDULE = "executions.change_schedule"


_rights: dict[Endpoint, tuple[Right, ...]] = {}


def page(view: View) -> Endpoint:
    """Make a page of a view: only GET, for staff with the right to view."""
    return _guarded(view, require_safe, Right.VIEW)


def action(*rights: Right) -> Callable[[View], Endpoint]:
    """Make an action of a view: only POST, for staff with these rights."""
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
    """Return the rights that an endpoint of ``page`` or ``action`` requires, () for any other."""
    return _rights.get(endpoint, ())


def holds(request: HttpRequest, *rights: Right) -> bool:
    """Return whether the user has these rights and the right to view."""
    user = request.user
    return user.is_active and _is_staff(request) and all(user.has_perm(right) for right in (Right.VIEW, *rights))


def actor_of(request: HttpRequest) -> str:
    """Return the user's name and id for the audit log.

    A name alone can be changed, or given to another user.
    """
    ending = f" (user {request.user.pk})"
    return request.user.get_username()[: MAX_ACTOR_LENGTH - len(ending)] + ending


def refusal_of(request: HttpRequest, *rights: Right) -> HttpResponseBase | None:
    """Return a redirect to sign in, or 403; None for a user with these rights.

    For views whose action is in the form; ``page`` and ``action`` call it themselves.
    """
    if not request.user.is_authenticated:
        return _sign_in(request)
    missing: list[str] = [right for right in rights if not request.user.has_perm(right)]
    if not _is_staff(request):
        missing.insert(0, _("staff status"))
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
    """Redirect to LOGIN_URL, and from there back to the page."""
    came_from = urlsplit(request.headers.get("HX-Current-URL") or request.headers.get("Referer", ""))
    back = request.get_full_path()
    if request.method != "GET" or is_htmx(request):  # a browser cannot open this address
        is_here = came_from.netloc == request.get_host() and came_from.path.startswith(root())
        back = urlunsplit(("", "", came_from.path, came_from.query, "")) if is_here else root()
    redirect = redirect_to_login(back)
    if not is_htmx(request):
        return redirect
    # htmx would follow a redirect and insert the sign-in page into this one.
    return HttpResponse(status=401, headers={"HX-Redirect": redirect.url})
