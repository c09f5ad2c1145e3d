"""The overview."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from qu_workflows.console.access import page
from qu_workflows.console.pages.overview import charts_of, day_of, now_of
from qu_workflows.console.responses import Page, is_htmx


@page
def overview(request: HttpRequest) -> Page:
    """Show open problems, the current status and the last day; htmx refreshes the first two."""
    now = timezone.now()
    data: dict[str, Any] = {"now": now_of(now)}
    context: dict[str, Any] = {}
    if not is_htmx(request):
        data["day"] = day_of(now)
        context = charts_of(data["day"])
    return Page(
        template="console/overview.html",
        title=_("Overview"),
        data=data,
        context=context,
        part="console/parts/overview_now.html",
    )
