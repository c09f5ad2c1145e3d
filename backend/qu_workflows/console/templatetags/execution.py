"""What the templates of one execution's page say: its own addresses, and payloads as text."""

from typing import Any
from urllib.parse import urlencode

from django import template
from django.template import Context
from django.urls import reverse

from qu_workflows.aws.console_urls import execution_url, map_run_url
from qu_workflows.console.masking import payload_text, text_of_masked
from qu_workflows.console.pages.execution import Asked, EventRow
from qu_workflows.console.pages.execution_states import VisitKey

register = template.Library()


@register.simple_tag(takes_context=True)
def visit_address(context: Context, key: VisitKey) -> str:
    """Return the address of this page with another state, or another visit of it, selected."""
    asked: Asked = context["asked"]
    kept = {name: value for name, value in asked.query.items() if name not in ("state", "iteration", "visit")}
    return f"{context['address']}?{urlencode(kept | key.query)}#state"


@register.simple_tag(takes_context=True)
def asking(context: Context, **changes: Any) -> str:
    """Return the address of this page with some of its query changed; "" leaves a name out."""
    asked: Asked = context["asked"]
    query = {name: str(value) for name, value in (asked.query | changes).items() if value}
    return f"{context['address']}?{urlencode(query)}" if query else str(context["address"])


@register.filter
def address_of_begun(arn: str) -> str:
    """Return the page of what a state began: here of a task's execution, at AWS of a Map Run and its executions.

    "" if there is none. ARNs are found in outputs as well, which may say anything.
    """
    if ":mapRun:" in arn:
        return map_run_url(arn)
    if "/" in arn:  # a Map Run's, which is no task's
        return execution_url(arn)
    return reverse("console:tasks-execution", args=[arn])


@register.filter
def payload(value: Any) -> str:
    """Return a masked JSON value as a text for people."""
    return payload_text(value)


@register.filter
def details(event: EventRow) -> str:
    """Return the details of an event, which are masked when its row is made, as a text for people."""
    return text_of_masked(event.details)


@register.filter
def indented(depth: int) -> str:
    """Return the class of a row that stands so deep inside others."""
    return f"depth-{depth}" if depth else ""
