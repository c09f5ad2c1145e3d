"""To come: tasks."""

from django.http import HttpRequest

from console.access import Right, action, page
from console.pages import Page


@page
def task_list(request: HttpRequest) -> Page:  # noqa: ARG001
    """To come."""
    return Page(template="console/base.html", title="tasks", data={})


@page
def preview(request: HttpRequest) -> Page:  # noqa: ARG001
    """To come."""
    return Page(template="console/base.html", title="tasks", data={})


@action(Right.REDRIVE)
def act(request: HttpRequest) -> Page:  # noqa: ARG001
    """To come."""
    return Page(template="console/base.html", title="tasks", data={})
