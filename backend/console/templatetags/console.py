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
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from console.masking import payload_text

register = template.Library()

_SECTIONS = (
    ("overview", gettext_lazy("Overview")),
    ("tasks", gettext_lazy("Tasks")),
    ("machines", gettext_lazy("State machines")),
    ("dead_letters", gettext_lazy("Dead letters")),
    ("schedules", gettext_lazy("Schedules")),
    ("audit", gettext_lazy("Audit")),
)
# A sign beside each word, since colour alone tells nothing to many.
SIGNS = {
    "READY": "○",
    "SENT": "→",
    "RUNNING": "▶",
    "WAITING": "◔",
    "SUCCEEDED": "✓",
    "FAILED": "✕",
    "TIMED_OUT": "⊘",
    "ABORTED": "■",
    "CAUGHT": "↷",
    "NOT_RUN": "·",
}
WORDS = {
    "READY": gettext_lazy("Recorded"),
    "SENT": gettext_lazy("Sent"),
    "RUNNING": gettext_lazy("Running"),
    "WAITING": gettext_lazy("Waiting"),
    "SUCCEEDED": gettext_lazy("Succeeded"),
    "FAILED": gettext_lazy("Failed"),
    "TIMED_OUT": gettext_lazy("Timed out"),
    "ABORTED": gettext_lazy("Stopped"),
    "CAUGHT": gettext_lazy("Failed and caught"),
    "NOT_RUN": gettext_lazy("Not run"),
}


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
def duration(seconds: Any) -> str:
    """Return a duration in the two largest units that tell something: 0.42 s, 3.1 s, 2 min 5 s, 3 h 4 min, 5 d 2 h."""
    if seconds is None:
        return "–"  # noqa: RUF001  a dash, as people set it
    total = float(seconds)
    if total < 10:
        return f"{total:.2f} s"
    if total < 60:
        return f"{total:.1f} s"
    whole = round(total)
    for size, unit, smaller, small_unit in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit} {rest} {small_unit}" if rest else f"{whole // size} {unit}"
    return _("%(seconds)s s") % {"seconds": whole}


@register.filter
def percent(share: float | None) -> str:
    """Return a share (0 to 1) in percent, never rounded to all or to nothing: 99.96 % is not 100 %."""
    if share is None:
        return "–"  # noqa: RUF001  a dash, as people set it
    rounded = min(max(share, 0.001), 0.999) if 0 < share < 1 else share
    return f"{rounded * 100:.1f} %".replace(".0 %", " %")
