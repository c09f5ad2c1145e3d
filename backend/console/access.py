"""Who may see and do what in the console: each right its own, none implied by being staff."""

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from console.pages import Page, answer, secured

type View = Callable[..., Page | HttpResponseBase]
type Endpoint = Callable[..., HttpResponseBase]


class Right(StrEnum):
    """The rights of the console, by the names of Django's permissions."""

    VIEW = "executions.view_console"
    REDRIVE = "executions.redrive_execution"  # restart, and dead letters, too
    STOP = "executions.stop_execution"
    PURGE = "executions.purge_dead_letter"
    SCHEDULE = "executions.change_schedule"


def page(view: View) -> Endpoint:
    """Make a view of a page: GET alone, for staff with the right to view; ``as_json`` asks for its JSON twin."""

    @require_safe
    @wraps(view)
    def endpoint(request: HttpRequest, *args: Any, as_json: bool = False, **kwargs: Any) -> HttpResponseBase:
        refusal = _refusal(request, (Right.VIEW,))
        if refusal is not None:
            return refusal
        return answer(request, view(request, *args, **kwargs), as_json=as_json)

    return endpoint


def action(*rights: Right) -> Callable[[View], Endpoint]:
    """Make a view of an act: POST alone, with Django's CSRF check, for staff with these rights and that to view."""

    def decorate(view: View) -> Endpoint:
        @require_POST
        @wraps(view)
        def endpoint(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            refusal = _refusal(request, (Right.VIEW, *rights))
            if refusal is not None:
                return refusal
            return answer(request, view(request, *args, **kwargs), as_json=False)

        return endpoint

    return decorate


def actor_of(request: HttpRequest) -> str:
    """Return the name that the audit table keeps of who acts."""
    return request.user.get_username()


def _refusal(request: HttpRequest, rights: tuple[Right, ...]) -> HttpResponse | None:
    if not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path(), login_url="admin:login")
    missing = [right for right in rights if not request.user.has_perm(right)]
    if request.user.is_staff and not missing:
        return None
    names = ", ".join(missing) or _("staff status")
    context = {"title": _("No access"), "problem": _("Your account lacks: %(rights)s.") % {"rights": names}}
    return secured(render(request, "console/refused.html", context, status=403))
