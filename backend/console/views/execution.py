"""To come: execution."""

from django.http import HttpRequest

from console.access import Right, action, page
from console.pages import Page


@page
def execution(request: HttpRequest, task_id: str) -> Page:  # noqa: ARG001
    """To come."""
    return Page(template="console/base.html", title="execution", data={})


@page
def graph_svg(request: HttpRequest, task_id: str) -> Page:  # noqa: ARG001
    """To come."""
    return Page(template="console/base.html", title="execution", data={})


@page
def history_json(request: HttpRequest, task_id: str) -> Page:  # noqa: ARG001
    """To come."""
    return Page(template="console/base.html", title="execution", data={})


@action(Right.REDRIVE)
def redrive(request: HttpRequest, task_id: str) -> Page:  # noqa: ARG001
    """To come."""
    return Page(template="console/base.html", title="execution", data={})


@action(Right.REDRIVE)
def restart(request: HttpRequest, task_id: str) -> Page:  # noqa: ARG001
    """To come."""
    return Page(template="console/base.html", title="execution", data={})


@action(Right.STOP)
def stop(request: HttpRequest, task_id: str) -> Page:  # noqa: ARG001
    """To come."""
    return Page(template="console/base.html", title="execution", data={})
