"""Hooks by which a product extends the console: subjects, alarms, secrets, name.

The console knows tasks, executions, dead letters and schedules. What a task is about is the product's: it registers
once, from the ``ready()`` of one of its apps. Every hook has a default, so that the console works without a product.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

type Text = str | Promise


@dataclass(frozen=True)
class SubjectsFound:
    """The subjects that a search means: ``label`` names them, ``ids`` are theirs, as a sequence or as a query."""

    label: str
    ids: Sequence[int] | QuerySet[Any, int]


@dataclass(frozen=True)
class SearchKind:
    """A kind of subject to search by, as ``guard:Ana`` names it. ``find`` returns None where a text means none.

    A text without a kind may be of any: those that come ``before_tasks`` are tried before task ids and errors.
    """

    name: str
    find: Callable[[str], SubjectsFound | None]
    before_tasks: bool = False


@dataclass(frozen=True)
class Subjects:
    """The subjects of tasks, by ``TaskRecord.subject_id``.

    ``kind`` is the SearchKind that takes an id. ``url`` is the subject's own page, linked for users with
    ``permission``. ``describe`` says more about one subject on its task's page, "" for nothing.
    """

    kind: str
    heading: Text
    url: Callable[[int], str]
    permission: str
    link_title: Text
    describe: Callable[[int], str] = lambda _subject_id: ""


@dataclass(frozen=True)
class SearchTexts:
    """The texts of the search fields. ``not_found`` has a place for the ``text`` that was searched for."""

    label: Text
    placeholder: Text
    help: Text
    examples: Sequence[str]
    not_found: Text


@dataclass(frozen=True)
class Need:
    """Something that a person should see to, on the overview. ``level`` is that of a notice: error or warning.

    ``url`` is where to fix it. ``since`` is when the oldest of it began, ``until`` when it can no longer be fixed
    that way; either may be None.
    """

    kind: str
    level: str
    count: int
    what: str
    why: str
    url: str
    do: str
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Link:
    """A link; ``is_current`` on the page that it leads to."""

    words: str
    url: str
    is_current: bool = False


TASK_SEARCH_TEXTS = SearchTexts(
    label=gettext_lazy("Task id, error or execution ARN"),
    placeholder=gettext_lazy("Task id, error"),
    help=gettext_lazy("To be exact:"),
    examples=("task:019ab1", "error:Timeout"),
    not_found=gettext_lazy(
        "No task has an id or error “%(text)s”. Give the first four letters of a task id or more, or a part of an "
        "error's name."
    ),
)


def admin_link() -> Sequence[Link]:
    """Return the link to Django's admin, where the host has it."""
    url = url_of("admin:index")
    return [Link(_("Back office"), url)] if url else []


@dataclass(frozen=True, kw_only=True)
class ConsoleHooks:
    """Everything that a product may register.

    ``needs`` come first on the overview, by at most one query. ``secret_patterns`` match texts to mask wherever they
    stand, ``masked_keys`` are added to CONSOLE_MASKED_KEYS. ``links`` lead from the console back to the site.
    """

    site_name: Text = "QU Workflows"
    links: Callable[[], Iterable[Link]] = admin_link
    subjects: Subjects | None = None
    search_kinds: Sequence[SearchKind] = ()
    search_texts: SearchTexts = TASK_SEARCH_TEXTS
    needs: Callable[[], Iterable[Need]] = tuple
    secret_patterns: Sequence[re.Pattern[str]] = ()
    masked_keys: Sequence[str] = ()


_registered = [ConsoleHooks()]


def register(hooks: ConsoleHooks) -> None:
    """Make these the hooks of this process; a later call replaces them."""
    _registered[:] = [hooks]


def registered_hooks() -> ConsoleHooks:
    """Return the product's hooks, or the defaults."""
    return _registered[0]


def url_of(name: str) -> str:
    """Return an address by its name, "" where the host has none of it."""
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


def first_of(names: Sequence[str]) -> str:
    """Return the first three names, and how many more there are."""
    shown = ", ".join(names[:3])
    return (
        shown if len(names) <= 3 else str(_("%(names)s and %(more)s more")) % {"names": shown, "more": len(names) - 3}
    )
