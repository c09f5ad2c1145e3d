"""Tags and filters of the console's templates."""

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
from qu_workflows.console.pages.execution import EventRow, ExecutionQuery
from qu_workflows.console.pages.state_entries import EntryKey
from qu_workflows.executions.queries import execution_url, map_run_url

register = template.Library()
register.filter(duration)

_NOT_KNOWN = "–"  # noqa: RUF001  an en dash
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
    """Return the address of the page's JSON twin, "" for an action."""
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
    """Return a subject's id with a link to its page, or to its tasks."""
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
    """Return a status as a sign and a word; colour is only added."""
    return format_html(
        '<span class="status status-{}"><span class="sign" aria-hidden="true">{}</span>{}</span>',
        value.lower().replace("_", "-"),
        SIGNS.get(value, "?"),
        WORDS.get(value, value),
    )


@register.simple_tag
def when(moment: datetime | None) -> SafeString | str:
    """Return a ``<time>`` in the site's time zone."""
    if moment is None:
        return _NOT_KNOWN
    local = timezone.localtime(moment)
    return format_html('<time datetime="{}">{}</time>', moment.isoformat(), f"{local:%Y-%m-%d %H:%M:%S}")


@register.simple_tag(name="payload")
def payload_box(value: Any, label: str = "") -> SafeString:
    """Return a payload, masked and truncated, in a box that the keyboard can scroll."""
    named = format_html(' role="region" aria-label="{}"', label) if label else ""
    return format_html('<pre class="code" tabindex="0"{}>{}</pre>', named, payload_text(value))


register.filter("payload", payload_text)


@register.filter
def details(event: EventRow) -> str:
    """Return the details of an event, which are already masked, as text."""
    return text_of_masked(event.details)


@register.filter
def reason_words(reason: str) -> str:
    """Return the reason of a dead letter in words."""
    return str(REASONS.get(reason, reason))


@register.filter
def percent(share: float | None) -> str:
    """Return a share in percent; only 1 becomes 100 %, only 0 becomes 0 %."""
    if share is None:
        return _NOT_KNOWN
    rounded = min(max(share, 0.001), 0.999) if 0 < share < 1 else share
    return f"{rounded * 100:.1f} %".replace(".0 %", " %")


@register.simple_tag(takes_context=True)
def page_with(context: Context, entry: EntryKey | None = None, **changes: Any) -> str:
    """Return the address of an execution's page with another entry or changed parameters.

    "" removes a parameter.
    """
    query: ExecutionQuery = context["query"]
    if entry is not None:
        changes |= {"state": entry.state, "iteration": entry.iteration, "entry": str(entry.entry)}
    parameters = {name: str(value) for name, value in (query.parameters | changes).items() if value}
    return f"{context['address']}?{urlencode(parameters)}" if parameters else str(context["address"])


@register.filter
def started_url(arn: str) -> str:
    """Return the page of an execution or Map Run that a state started.

    A Map Run and its executions have pages only at AWS.
    """
    if ":mapRun:" in arn:
        return map_run_url(arn)
    if "/" in arn:  # an execution of a Map Run, which has no task
        return execution_url(arn)
    return reverse("console:tasks-execution", args=[arn])
