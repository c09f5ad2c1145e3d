"""To come: machines."""

from django.http import HttpRequest

from console.access import page
from console.pages import Page


@page
def machine_list(request: HttpRequest) -> Page:  # noqa: ARG001
    """To come."""
    return Page(template="console/base.html", title="machines", data={})


@page
def machine(request: HttpRequest, workflow: str) -> Page:  # noqa: ARG001
    """To come."""
    return Page(template="console/base.html", title="machines", data={})
