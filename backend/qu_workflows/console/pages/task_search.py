"""Parses the text of a search into filters: a task, an error, or a subject of the product's kinds.

The first kind that finds any task is taken, and the others are named, each with the query that asks for it alone:
``task:019ab1``, ``error:Timeout``, ``error:*found*`` for all errors with a word, ``guard:Ana`` for a product's kind.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from qu_workflows.console.hooks import SearchKind, first_of, registered_hooks
from qu_workflows.executions.queries import TaskFilter, errors_called

SHORTEST_BEGINNING = 4
_SHORTEST_PART = 3
_TASK_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


@dataclass(frozen=True)
class Meaning:
    """One meaning of a search. ``query`` asks for it alone; ``parts`` are the fields of a TaskFilter that it sets."""

    query: str
    label: str
    parts: Mapping[str, Any]


@dataclass(frozen=True)
class SearchMeanings:
    """A parsed search: the chosen meaning, None if there is none, and the others."""

    taken: Meaning | None
    others: Sequence[Meaning] = ()

    @property
    def parts(self) -> Mapping[str, Any]:
        """The fields of a TaskFilter: those of no task, if nothing was found."""
        return self.taken.parts if self.taken else {"subject_ids": ()}


def parse_search(text: str) -> SearchMeanings:
    """Return what a search may mean."""
    kinds = registered_hooks().search_kinds
    name, colon, value = text.partition(":")
    if colon and name in ("task", "error"):
        return SearchMeanings((_task if name == "task" else _error)(value.strip()))
    if colon and (kind := next((kind for kind in kinds if kind.name == name), None)):
        return SearchMeanings(_subject(kind, value.strip()))
    if text.startswith("arn:"):
        return SearchMeanings(_task(text.rpartition(":")[2]))
    meanings = [
        *(_subject(kind, text) for kind in kinds if kind.before_tasks),
        _task(text),
        _error(text) or (_error(f"*{text}*") if len(text) >= _SHORTEST_PART else None),
        *(_subject(kind, text) for kind in kinds if not kind.before_tasks),
    ]
    found = [meaning for meaning in meanings if meaning and _is_any(meaning)]
    return SearchMeanings(found[0], found[1:]) if found else SearchMeanings(None)


def _is_any(meaning: Meaning) -> bool:
    return TaskFilter(**meaning.parts).records().order_by().exists()


def _subject(kind: SearchKind, text: str) -> Meaning | None:
    found = kind.find(text)
    return Meaning(f"{kind.name}:{text}", found.label, {"subject_ids": found.ids}) if found else None


def _task(text: str) -> Meaning | None:
    if len(text) < SHORTEST_BEGINNING or not _TASK_ID.fullmatch(text):
        return None
    return Meaning(f"task:{text}", _("tasks whose id begins with %(begins)s") % {"begins": text}, {"id_begins": text})


def _error(name: str) -> Meaning | None:
    errors = errors_called(name) if name else []
    if not errors:
        return None
    return Meaning(f"error:{name}", _("error %(names)s") % {"names": first_of(errors)}, {"errors": errors})
