"""What somebody means who types something into the search: a report, a guard, a task, an error.

The first kind of which there is anything is taken, and the others are named, each with the words that ask for it
alone, now and later: ``report:7``, ``guard:7``, ``guard:Ana``, ``task:019ab1``, ``error:ReportNotFound``, and
``error:*found*`` for all errors that hold a word.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from django.utils.translation import gettext as _

from qu_workflows.executions.search import TaskSearch, errors_called, found_by
from reports.search import guard_numbered, guards_called, report_ids_of

SHORTEST_BEGINNING = 4
_SHORTEST_PART = 3
_NUMBER = re.compile(r"[0-9]{1,18}")
_TASK_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


@dataclass(frozen=True)
class Reading:
    """One meaning of a search. ``query`` asks for it alone; ``parts`` are the fields of a TaskSearch that it sets."""

    kind: str
    query: str
    words: str
    parts: Mapping[str, Any]


@dataclass(frozen=True)
class Readings:
    """How a search was read: the meaning that was taken, None if there is none, and the others there are."""

    taken: Reading | None
    others: Sequence[Reading] = ()

    @property
    def parts(self) -> Mapping[str, Any]:
        """The fields of a TaskSearch: those of no task, if nothing was found."""
        return self.taken.parts if self.taken else MappingProxyType({"report_ids": ()})


def read(text: str) -> Readings:
    """Return what a search may mean."""
    kind, colon, value = text.partition(":")
    if colon and kind in _KINDS:
        return Readings(_KINDS[kind](value.strip()))
    if text.startswith("arn:"):
        return Readings(_task(text.rpartition(":")[2]))
    found = [
        reading for reader in (_report, _task, _error_with, _guard) if (reading := reader(text)) and _is_any(reading)
    ]
    return Readings(found[0], found[1:]) if found else Readings(None)


def _is_any(reading: Reading) -> bool:
    return found_by(TaskSearch(**reading.parts)).order_by().exists()


def _report(text: str) -> Reading | None:
    if not _NUMBER.fullmatch(text):
        return None
    number = int(text)
    return Reading("report", f"report:{number}", _("report %(id)s") % {"id": number}, {"report_ids": (number,)})


def _task(text: str) -> Reading | None:
    if len(text) < SHORTEST_BEGINNING or not _TASK_ID.fullmatch(text):
        return None
    words = _("tasks whose id begins with %(begins)s") % {"begins": text}
    return Reading("task", f"task:{text}", words, {"id_begins": text})


def _error(name: str) -> Reading | None:
    errors = errors_called(name) if name else []
    if not errors:
        return None
    return Reading("error", f"error:{name}", _("error %(names)s") % {"names": _few(errors)}, {"errors": errors})


def _error_with(text: str) -> Reading | None:
    return _error(text) or (_error(f"*{text}*") if len(text) >= _SHORTEST_PART else None)


def _guard(text: str) -> Reading | None:
    if _NUMBER.fullmatch(text):
        guard = guard_numbered(int(text))
        guards = [guard] if guard else []
    else:
        guards = guards_called(text)
    if not guards:
        return None
    words = _("reports of guard %(names)s") % {"names": _few([f"{guard} ({guard.pk})" for guard in guards])}
    return Reading("guard", f"guard:{text}", words, {"report_ids": report_ids_of(guards)})


def _few(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else _("%(names)s and %(more)s more") % {"names": shown, "more": len(names) - 3}


_KINDS: Mapping[str, Callable[[str], Reading | None]] = MappingProxyType(
    {"report": _report, "task": _task, "error": _error, "guard": _guard}
)
