"""The list's filters as they stand in an address: read, and written again with a change.

::

    q            what was typed: see pages.task_search      schedule     runs of one schedule
    workflow     one workflow                                redrivable   1: only what AWS still redrives
    task         one task                                    scheduled    1: also scheduled runs that succeeded
    status       any number of them                          before, after   the page beside another
    since, until a time, or so long ago: 2026-11-24T08:00, 30m, 24h, 7d
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from django.http import QueryDict
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from qu_workflows.console.hooks import registered_hooks
from qu_workflows.console.pages.task_search import SearchMeanings, parse_search
from qu_workflows.executions.queries import TaskFilter, read_moment
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.models import TaskStatus

TEXTS = ("q", "workflow", "task", "since", "until", "schedule")
SWITCHES = ("redrivable", "scheduled")
_MAX_LENGTH = 300


@dataclass(frozen=True)
class TaskQuery:
    """The filters of an address, as texts: what the form shows, right or wrong."""

    texts: Mapping[str, str]
    statuses: Sequence[str]
    switches: Mapping[str, bool]

    @property
    def is_empty(self) -> bool:
        """True if nothing is filtered."""
        return not (any(self.texts.values()) or self.statuses or any(self.switches.values()))

    @cached_property
    def meanings(self) -> SearchMeanings:
        """The parsed ``q``: a few queries of the database, none without ``q``."""
        return parse_search(self.texts["q"]) if self.texts["q"] else SearchMeanings(None)

    def search(self) -> TaskFilter:
        """Return the search that it asks for. Raises OperationRefused for what is no time or no status."""
        given = self.texts
        return TaskFilter(
            workflow=given["workflow"],
            task=given["task"],
            statuses=tuple(self.statuses),
            since=read_moment(given["since"], _("since")) if given["since"] else None,
            until=read_moment(given["until"], _("until")) if given["until"] else None,
            schedule=given["schedule"],
            **({**self.meanings.parts} if given["q"] else {}),
            redrivable=self.switches["redrivable"],
            hides_scheduled=not self.switches["scheduled"],
        )

    def pinned(self) -> "TaskQuery":
        """Return it with ``q`` as the query of the one meaning that was taken."""
        taken = self.meanings.taken
        return replace(self, texts={**self.texts, "q": taken.query}) if taken else self

    def address(self, **changes: str) -> str:
        """Return it as the query of an address, "" for none, with some texts changed or ``before``, ``after`` added."""
        pairs = [(name, value) for name, value in ({**self.texts} | changes).items() if value]
        pairs += [("status", status) for status in self.statuses]
        pairs += [(name, "1") for name, is_on in self.switches.items() if is_on]
        return urlencode(pairs)


def read_query(given: QueryDict) -> TaskQuery:
    """Return the filters of an address. Other pages' links may name a kind of search for ``q``: ``?error=Timeout``."""
    texts = {name: _clean(given.get(name, "")) for name in TEXTS}
    for kind in ("error", *(kind.name for kind in registered_hooks().search_kinds)):
        if value := _clean(given.get(kind, "")):
            texts["q"] = texts["q"] or f"{kind}:{value}"
    statuses = list(dict.fromkeys(status.upper() for each in given.getlist("status") if (status := _clean(each))))
    return TaskQuery(texts, statuses[: len(TaskStatus)], {name: given.get(name) == "1" for name in SWITCHES})


def _clean(text: str) -> str:
    """Return a text without what no name holds and no database takes."""
    return "".join(character for character in text if character.isprintable()).strip()[:_MAX_LENGTH]


def said_of(refused: OperationRefused) -> str:
    """Return a refusal as a sentence of a page: where the command has options, the page has fields."""
    return f"{refused.where.lstrip('-')}: {refused.problem} {refused.remedy}".replace("--", "")
