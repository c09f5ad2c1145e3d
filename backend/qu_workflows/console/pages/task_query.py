"""The task list's query: filters in an address, one of them a search.

::

    q            a search, see ``parse_search``          schedule     runs of one schedule
    workflow     one workflow                            redrivable   1: only what AWS still redrives
    task         one task                                scheduled    1: also scheduled runs that succeeded
    status       any number of them                      before, after   page cursors
    since, until a time, or an age: 2026-11-24T08:00, 30m, 24h, 7d
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from django.http import QueryDict
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from qu_workflows.console.hooks import SearchKind, first_of, registered_hooks
from qu_workflows.executions.queries import TaskFilter, errors_called, read_moment
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.models import TaskStatus

TEXTS = ("q", "workflow", "task", "since", "until", "schedule")
SWITCHES = ("redrivable", "scheduled")
_MAX_LENGTH = 300
_SHORTEST_BEGINNING = 4  # of a task id
_SHORTEST_PART = 3  # of an error's name
_TASK_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


@dataclass(frozen=True)
class Meaning:
    """One meaning of a search: its unambiguous ``query`` and fields of a TaskFilter."""

    query: str
    label: str
    parts: Mapping[str, Any]


@dataclass(frozen=True)
class TaskQuery:
    """The filters of an address, as texts that may be invalid."""

    texts: Mapping[str, str]
    statuses: Sequence[str]
    switches: Mapping[str, bool]

    @property
    def is_empty(self) -> bool:
        """True if there is no filter."""
        return not (any(self.texts.values()) or self.statuses or any(self.switches.values()))

    @cached_property
    def meanings(self) -> Sequence[Meaning]:
        """The meanings of ``q``, by a few queries. The first is used."""
        return parse_search(self.texts["q"]) if self.texts["q"] else ()

    def search(self) -> TaskFilter:
        """Return the filter of tasks. Raises OperationRefused for an invalid time or status."""
        given = self.texts
        nothing: Mapping[str, Any] = {"subject_ids": ()} if given["q"] else {}
        return TaskFilter(
            workflow=given["workflow"],
            task=given["task"],
            statuses=tuple(self.statuses),
            since=read_moment(given["since"], _("since")) if given["since"] else None,
            until=read_moment(given["until"], _("until")) if given["until"] else None,
            schedule=given["schedule"],
            **(self.meanings[0].parts if self.meanings else nothing),
            redrivable=self.switches["redrivable"],
            hides_scheduled=not self.switches["scheduled"],
        )

    def pinned(self) -> "TaskQuery":
        """Return the query with ``q`` replaced by its one meaning."""
        return replace(self, texts={**self.texts, "q": self.meanings[0].query}) if self.meanings else self

    def address(self, **changes: str) -> str:
        """Return the query of an address, with changed texts and ``before`` or ``after`` added."""
        pairs = [(name, value) for name, value in ({**self.texts} | changes).items() if value]
        pairs += [("status", status) for status in self.statuses]
        pairs += [(name, "1") for name, is_on in self.switches.items() if is_on]
        return urlencode(pairs)


def read_query(given: QueryDict) -> TaskQuery:
    """Return the filters of an address. A kind of search may replace ``q``: ``?error=Timeout``."""
    texts = {name: _clean(given.get(name, "")) for name in TEXTS}
    for kind in ("error", *(kind.name for kind in registered_hooks().search_kinds)):
        if value := _clean(given.get(kind, "")):
            texts["q"] = texts["q"] or f"{kind}:{value}"
    statuses = list(dict.fromkeys(status.upper() for each in given.getlist("status") if (status := _clean(each))))
    return TaskQuery(texts, statuses[: len(TaskStatus)], {name: given.get(name) == "1" for name in SWITCHES})


def refusal_text(refused: OperationRefused) -> str:
    """Return a refusal for a page, with fields in place of command options."""
    return f"{refused.where.lstrip('-')}: {refused.problem} {refused.remedy}".replace("--", "")


def parse_search(text: str) -> list[Meaning]:
    """Return the meanings of a search, preferred first.

    A prefix selects the kind: ``task:019ab1``, ``error:Timeout``, ``error:*found*`` for all errors with a word,
    ``guard:Ana`` for a kind of the product.
    """
    kinds = registered_hooks().search_kinds
    name, colon, value = text.partition(":")
    if colon and name in ("task", "error"):
        return _given((_task if name == "task" else _error)(value.strip()))
    if colon and (kind := next((kind for kind in kinds if kind.name == name), None)):
        return _given(_subject(kind, value.strip()))
    if text.startswith("arn:"):
        return _given(_task(text.rpartition(":")[2]))
    meanings = _given(
        *(_subject(kind, text) for kind in kinds if kind.before_tasks),
        _task(text),
        _error(text) or (_error(f"*{text}*") if len(text) >= _SHORTEST_PART else None),
        *(_subject(kind, text) for kind in kinds if not kind.before_tasks),
    )
    return [each for each in meanings if TaskFilter(**each.parts).records().order_by().exists()]


def _given(*meanings: Meaning | None) -> list[Meaning]:
    return [each for each in meanings if each]


def _clean(text: str) -> str:
    """Return a text without characters that a database refuses."""
    return "".join(character for character in text if character.isprintable()).strip()[:_MAX_LENGTH]


def _subject(kind: SearchKind, text: str) -> Meaning | None:
    found = kind.find(text)
    return Meaning(f"{kind.name}:{text}", found.label, {"subject_ids": found.ids}) if found else None


def _task(text: str) -> Meaning | None:
    if len(text) < _SHORTEST_BEGINNING or not _TASK_ID.fullmatch(text):
        return None
    return Meaning(f"task:{text}", _("tasks whose id begins with %(begins)s") % {"begins": text}, {"id_begins": text})


def _error(name: str) -> Meaning | None:
    errors = errors_called(name) if name else []
    if not errors:
        return None
    return Meaning(f"error:{name}", _("error %(names)s") % {"names": first_of(errors)}, {"errors": errors})
