"""What the console's templates say again and again: times, durations, statuses, the navigation."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import template
from django.template import Context
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from qu_workflows.console.formatting import SIGNS, WORDS, duration
from qu_workflows.console.masking import payload_text

register = template.Library()
register.filter(duration)

_SECTIONS = (
    ("overview", gettext_lazy("Overview")),
    ("tasks", gettext_lazy("Tasks")),
    ("machines", gettext_lazy("State machines")),
    ("dead_letters", gettext_lazy("Dead letters")),
    ("schedules", gettext_lazy("Schedules")),
    ("audit", gettext_lazy("Audit")),
)


@dataclass(frozen=True)
class Section:
    """An entry of the navigation."""

    name: str
    title: str
    url: str


@register.simple_tag
def sections() -> list[Section]:
    """Return the entries of the navigation."""
    return [Section(name, str(title), reverse(f"console:{name}")) for name, title in _SECTIONS]


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
        return "–"  # noqa: RUF001  a dash, as people set it
    local = timezone.localtime(moment)
    return format_html('<time datetime="{}">{}</time>', moment.isoformat(), f"{local:%Y-%m-%d %H:%M:%S}")


@register.simple_tag
def payload(value: Any, label: str = "") -> SafeString:
    """Return a payload as indented JSON, masked and bounded, in a box that the keyboard can scroll."""
    named = format_html(' role="region" aria-label="{}"', label) if label else ""
    return format_html('<pre class="code" tabindex="0"{}>{}</pre>', named, payload_text(value))


@register.filter
def percent(share: float | None) -> str:
    """Return a share (0 to 1) in percent, never rounded to all or to nothing: 99.96 % is not 100 %."""
    if share is None:
        return "–"  # noqa: RUF001  a dash, as people set it
    rounded = min(max(share, 0.001), 0.999) if 0 < share < 1 else share
    return f"{rounded * 100:.1f} %".replace(".0 %", " %")
