"""To come: patterns."""

from django.http import HttpRequest

from console.access import page
from console.pages import Page


@page
def patterns(request: HttpRequest) -> Page:  # noqa: ARG001
    """To come."""
    return Page(template="console/base.html", title="patterns", data={})
