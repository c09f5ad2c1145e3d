"""Hooks by which a product extends the console: subjects, problems, secrets, name.

A product registers once, in the ``console_hooks`` module of an app. Every hook has a default.
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
    """The subjects that a search found, and their ids as a sequence or a query."""

    label: str
    ids: Sequence[int] | QuerySet[Any, int]


@dataclass(frozen=True)
class SearchKind:
    """A kind of subject to search for, such as ``guard`` in ``guard:Ana``.

    ``find`` returns None if there is none. A search without a kind tries all, those with ``before_tasks`` before task
    ids and errors.
    """

    name: str
    find: Callable[[str], SubjectsFound | None]
    before_tasks: bool = False


@dataclass(frozen=True)
class Subjects:
    """The subjects of tasks, by ``TaskRecord.subject_id``.

    ``kind`` is the SearchKind that finds an id. ``url`` returns a subject's page, linked for users with ``permission``.
    ``describe`` returns a text for the page of its task, "" for none.
    """

    kind: str
    heading: Text
    url: Callable[[int], str]
    permission: str
    link_title: Text
    describe: Callable[[int], str] = lambda _subject_id: ""


@dataclass(frozen=True)
class SearchTexts:
    """The texts of the search fields. ``not_found`` has the placeholder ``%(text)s``."""

    label: Text
    placeholder: Text
    help: Text
    examples: Sequence[str]
    not_found: Text


@dataclass(frozen=True)
class Need:
    """A problem on the overview. ``level`` is error or warning.

    ``url`` is the page to fix it. ``since`` is when the oldest of ``count`` began, ``until`` when it can no longer be
    fixed this way.
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
    """A link; ``is_current`` on its own page."""

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
    """Return the link to Django's admin, if the site has it."""
    url = url_of("admin:index")
    return [Link(_("Back office"), url)] if url else []


@dataclass(frozen=True, kw_only=True)
class ConsoleHooks:
    """All hooks of a product.

    ``needs`` come first on the overview and may take one query. ``secret_patterns`` match texts to mask anywhere;
    ``masked_keys`` extend CONSOLE_MASKED_KEYS. ``links`` lead from the console to the site.
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
    """Set the hooks of this process, in place of earlier ones."""
    _registered[:] = [hooks]


def registered_hooks() -> ConsoleHooks:
    """Return the product's hooks, or the defaults."""
    return _registered[0]


def url_of(name: str) -> str:
    """Return the address with a name, "" if the site has none."""
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


def first_of(names: Sequence[str]) -> str:
    """Return the first three names and the number of the rest."""
    shown, more = ", ".join(names[:3]), len(names) - 3
    return _("%(names)s and %(more)s more") % {"names": shown, "more": more} if more > 0 else shown
