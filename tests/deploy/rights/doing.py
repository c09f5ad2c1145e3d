"""Doing a run under a role, and trying what becomes of it when the role has less."""

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache

import pytest
from django.db import transaction

from tests.deploy.rights.function_runs import Run
from tests.deploy.rights.judging import Verdicts
from tests.deploy.rights.policies import Ask, Statement, is_allowed
from tests.deploy.rights.stack import Stack

type Role = tuple[Statement, ...]
type Surroundings = Callable[[str], AbstractContextManager[None]]


@contextmanager
def rolled_back() -> Generator[None]:
    """Undo what is written to the database, and let the code's own transactions be as durable as they like."""
    block = transaction.atomic()
    block._from_testcase = True  # type: ignore[attr-defined]  # what Django's TestCase sets
    with block:
        yield
        transaction.set_rollback(True)


def do(stack: Stack, run: Run, who: str, role: Role, within: Surroundings) -> tuple[Verdicts, BaseException | None]:
    """Do a run under a role; return what IAM said, and what the run failed with."""
    stack.empty()
    failure: BaseException | None = None
    with within(who), rolled_back():
        work = run.prepare(stack, who)
        with stack.judge.under(role) as verdicts:
            try:
                work()
            except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001  whatever it is, the test tells
                failure = error
    assert not verdicts.disagreements, verdicts.disagreements
    return verdicts, failure


def assert_it_works(stack: Stack, run: Run, who: str, role: Role, within: Surroundings) -> None:
    """Assert that a run does its work under a role, and is refused nothing."""
    verdicts, failure = do(stack, run, who, role, within)
    assert not verdicts.refused, verdicts.refused
    if failure:
        raise failure


@cache
def _asked_by(stack: Stack, run: Run, who: str, role: Role, within: Surroundings) -> Sequence[Ask]:
    """Return what a run asks IAM for when nothing is refused."""
    return tuple(do(stack, run, who, role, within)[0].asked)


def assert_somebody_minds(
    stack: Stack, runs: Iterable[Run], who: str, whole: Role, rest: Role, within: Surroundings
) -> None:
    """Assert that the first run which asks for what only the whole role gives is refused that, and fails."""
    runs = [one for one in runs if not all(is_allowed(rest, ask) for ask in _asked_by(stack, one, who, whole, within))]
    assert runs, f"no run of {who} needs it: show the run that does beside the others, or take it from the template"

    verdicts, failure = do(stack, runs[0], who, rest, within)

    assert verdicts.refused
    assert all(is_allowed(whole, ask) and not is_allowed(rest, ask) for ask in verdicts.refused)
    assert failure, f"{runs[0].name} does not mind"
