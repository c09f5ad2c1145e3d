"""The tags and filters of the console's templates: times, durations, statuses, payloads, addresses, navigation."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django import template
from django.template import Context
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from qu_workflows.console.formatting import SIGNS, WORDS, duration
from qu_workflows.console.hooks import Link, registered_hooks
from qu_workflows.console.masking import payload_text, text_of_masked
from qu_workflows.console.pages.dead_letters import REASONS
from qu_workflows.console.pages.execution import Asked, EventRow
from qu_workflows.console.pages.execution_states import VisitKey
from qu_workflows.executions.queries import execution_url, map_run_url

register = template.Library()
register.filter(duration)

_NOT_KNOWN = "–"  # noqa: RUF001  a dash, as people set it
_SECTIONS = {
    "overview": gettext_lazy("Overview"),
    "tasks": gettext_lazy("Tasks"),
    "machines": gettext_lazy("State machines"),
    "dead_letters": gettext_lazy("Dead letters"),
    "schedules": gettext_lazy("Schedules"),
    "audit": gettext_lazy("Audit"),
}


@register.simple_tag(takes_context=True)
def sections(context: Context) -> Sequence[Link]:
    """Return the entries of the navigation."""
    current = context.get("section")
    return [Link(str(title), reverse(f"console:{name}"), name == current) for name, title in _SECTIONS.items()]


@register.simple_tag(takes_context=True)
def twin(context: Context) -> str:
    """Return the address of this page's JSON twin, with the page's own query; "" for the answer to an act."""
    request = context["request"]
    match = request.resolver_match
    query = request.META.get("QUERY_STRING", "")
    try:
        address = reverse(f"{match.view_name}-json", args=match.args, kwargs=match.captured_kwargs or {})
    except NoReverseMatch:
        return ""
    return f"{address}?{query}" if query else address


@register.simple_tag(takes_context=True)
def subject(context: Context, subject_id: int | None) -> SafeString | str:
    """Return the id of what a task is about, linked: to its own page, or to the list of its tasks."""
    subjects = registered_hooks().subjects
    if subject_id is None or subjects is None:
        return _NOT_KNOWN
    if context["request"].user.has_perm(subjects.permission):
        url, title = subjects.url(subject_id), subjects.link_title
        return format_html('<a href="{}" title="{}">{}</a>', url, title, subject_id)
    query = urlencode({"q": f"{subjects.kind}:{subject_id}"})
    return format_html('<a href="{}?{}">{}</a>', reverse("console:tasks"), query, subject_id)


@register.simple_tag
def status(value: str) -> SafeString:
    """Return a status as a sign and a word; the colour only adds to them."""
    return format_html(
        '<span class="status status-{}"><span class="sign" aria-hidden="true">{}</span>{}</span>',
        value.lower().replace("_", "-"),
        SIGNS.get(value, "?"),
        WORDS.get(value, value),
    )


@register.simple_tag
def when(moment: datetime | None) -> SafeString | str:
    """Return a time for people, in the site's time zone, exact to the second for machines."""
    if moment is None:
        return _NOT_KNOWN
    local = timezone.localtime(moment)
    return format_html('<time datetime="{}">{}</time>', moment.isoformat(), f"{local:%Y-%m-%d %H:%M:%S}")


@register.simple_tag(name="payload")
def payload_box(value: Any, label: str = "") -> SafeString:
    """Return a payload as indented JSON, masked and bounded, in a box that the keyboard can scroll."""
    named = format_html(' role="region" aria-label="{}"', label) if label else ""
    return format_html('<pre class="code" tabindex="0"{}>{}</pre>', named, payload_text(value))


register.filter("payload", payload_text)


@register.filter
def details(event: EventRow) -> str:
    """Return the details of an event, which are masked when its row is made, as a text for people."""
    return text_of_masked(event.details)


@register.filter
def reason_words(reason: str) -> str:
    """Return why a message is a dead letter, in a few words."""
    return str(REASONS.get(reason, reason))


@register.filter
def percent(share: float | None) -> str:
    """Return a share (0 to 1) in percent, never rounded to all or to nothing: 99.96 % is not 100 %."""
    if share is None:
        return _NOT_KNOWN
    rounded = min(max(share, 0.001), 0.999) if 0 < share < 1 else share
    return f"{rounded * 100:.1f} %".replace(".0 %", " %")


@register.simple_tag(takes_context=True)
def visit_address(context: Context, key: VisitKey) -> str:
    """Return the address of an execution's page with another state, or another visit of it, selected."""
    asked: Asked = context["asked"]
    kept = {name: value for name, value in asked.query.items() if name not in ("state", "iteration", "visit")}
    return f"{context['address']}?{urlencode(kept | key.query)}#state"


@register.simple_tag(takes_context=True)
def asking(context: Context, **changes: Any) -> str:
    """Return the address of an execution's page with some of its query changed; "" leaves a name out."""
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
