"""Hooks by which a product extends the alerts: kinds, recipients, languages, mail task.

Registered once, in an app's ``ready()``. Every hook has a default, so that alerts work without a product.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import QuerySet
from django.utils.functional import Promise

from qu_workflows.records.models import TaskRecord

type Text = str | Promise

OPERATIONS_GROUP = "Operations"


@dataclass(frozen=True, kw_only=True)
class AlertKind:
    """A kind of thing that can be stuck.

    ``name`` is its key in stored findings. ``title`` formats a ``count``. ``find`` returns the stuck task records,
    annotated with ``since``; None where there is only a count. ``look`` and ``fix`` are commands, the latter for the
    id of the oldest. ``needs_yes``: the commands change nothing without --yes.
    """

    name: str
    heading: Text
    title: Callable[[int], str]
    why: Text
    look: Sequence[str]
    fix: Callable[[str], Sequence[str]]
    find: Callable[[datetime], QuerySet[TaskRecord]] | None = None
    needs_yes: bool = True


def operations_members() -> Sequence[AbstractBaseUser]:
    """Return active members of the group "Operations" with an email address, else the superusers."""
    model: Any = get_user_model()
    with_address = {f"{model.get_email_field_name()}__contains": "@"}
    people = model._default_manager.filter(is_active=True, **with_address).order_by("pk")
    return list(people.filter(groups__name=OPERATIONS_GROUP)) or list(people.filter(is_superuser=True))


def default_language(_user: Any) -> str:
    """Return ``settings.LANGUAGE_CODE``."""
    return settings.LANGUAGE_CODE


@dataclass(frozen=True, kw_only=True)
class AlertHooks:
    """A product's additions.

    ``kinds`` come before the platform's own. ``describe_subject`` describes the subject of a task by its
    ``subject_id``. ``mail_task`` is the name of a task that sends one mail: it takes ``user_id``, ``subject``,
    ``template_name`` and ``context``. Without one, Django's mail backend sends the mails.
    """

    kinds: Sequence[AlertKind] = ()
    recipients: Callable[[], Iterable[AbstractBaseUser]] = operations_members
    language_of: Callable[[Any], str] = default_language
    describe_subject: Callable[[int], str] = lambda _subject_id: ""
    mail_task: str = ""


_registered = [AlertHooks()]


def register(hooks: AlertHooks) -> None:
    """Set the hooks of this process; a later call replaces them."""
    _registered[:] = [hooks]


def registered_hooks() -> AlertHooks:
    """Return the registered hooks, else the defaults."""
    return _registered[0]
