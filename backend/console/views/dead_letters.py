"""To come: dead_letters."""

from django.http import HttpRequest

from console.access import Right, action, page
from console.pages import Page


@page
def dead_letter_list(request: HttpRequest) -> Page:  # noqa: ARG001
    """To come."""
    return Page(template="console/base.html", title="dead_letters", data={})


@page
def dead_letter(request: HttpRequest, message_id: str) -> Page:  # noqa: ARG001
    """To come."""
    return Page(template="console/base.html", title="dead_letters", data={})


@action(Right.REDRIVE)
def redrive(request: HttpRequest) -> Page:  # noqa: ARG001
    """To come."""
    return Page(template="console/base.html", title="dead_letters", data={})


@action(Right.PURGE)
def purge(request: HttpRequest) -> Page:  # noqa: ARG001
    """To come."""
    return Page(template="console/base.html", title="dead_letters", data={})
