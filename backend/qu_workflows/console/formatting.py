"""Statuses as signs and words, durations, and numbers in addresses."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

# A sign beside each word, since not every user sees colours.
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


def duration(seconds: Any) -> str:
    """Return a duration in its two largest units, such as 2 min 5 s."""
    if seconds is None:
        return "–"  # noqa: RUF001  an en dash
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


def number_in(text: str) -> int | None:
    """Parse a non-negative integer of up to 7 digits; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 8 else None
