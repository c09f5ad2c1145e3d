"""To come: schedules."""

from django.http import HttpRequest

from console.access import Right, action, page
from console.pages import Page


@page
def schedule_list(request: HttpRequest) -> Page:  # noqa: ARG001
    """To come."""
    return Page(template="console/base.html", title="schedules", data={})


@page
def schedule(request: HttpRequest, name: str) -> Page:  # noqa: ARG001
    """To come."""
    return Page(template="console/base.html", title="schedules", data={})


@action(Right.SCHEDULE)
def pause(request: HttpRequest, name: str) -> Page:  # noqa: ARG001
    """To come."""
    return Page(template="console/base.html", title="schedules", data={})


@action(Right.SCHEDULE)
def resume(request: HttpRequest, name: str) -> Page:  # noqa: ARG001
    """To come."""
    return Page(template="console/base.html", title="schedules", data={})


@action(Right.SCHEDULE)
def run(request: HttpRequest, name: str) -> Page:  # noqa: ARG001
    """To come."""
    return Page(template="console/base.html", title="schedules", data={})
