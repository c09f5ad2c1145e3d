"""Each function under its own role: it does its work, and does it no more when any one thing is taken away.

So a role has what its function uses, and nothing that it does not use. "Any one thing" is a whole statement, one of a
statement's actions, one of its resources, one of a condition's values.
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import cache

import pytest
from django.db import transaction

from deploy.functions import FUNCTIONS_BY_NAME
from tests.deploy.rights.function_runs import FUNCTION_NAMES, Run, runs_of
from tests.deploy.rights.judging import Verdicts
from tests.deploy.rights.policies import Ask, Statement, is_allowed
from tests.deploy.rights.stack import Stack, less_by_one, policies_of, running_as

pytestmark = pytest.mark.django_db
AWS = "arn:aws:iam::aws:policy/"


def role_of(function: str) -> str:
    return f"{FUNCTIONS_BY_NAME[function].resource}Role"


def whole_role(function: str) -> tuple[Statement, ...]:
    return tuple(statement for statements in policies_of(role_of(function)).values() for statement in statements)


@contextmanager
def rolled_back() -> Generator[None]:
    """Undo what is written to the database, and let the code's own transactions be as durable as they like."""
    block = transaction.atomic()
    block._from_testcase = True  # type: ignore[attr-defined]  # what Django's TestCase sets
    with block:
        yield
        transaction.set_rollback(True)


def do(
    stack: Stack, run: Run, function: str, statements: tuple[Statement, ...]
) -> tuple[Verdicts, BaseException | None]:
    """Do a run under a role; return what IAM said, and what the run failed with."""
    with running_as(function), rolled_back():
        work = run.prepare(stack, function)
        failure: BaseException | None = None
        with stack.judge.under(statements) as verdicts:
            try:
                work()
            except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001  whatever it is, the test tells
                failure = error
    assert not verdicts.disagreements
    return verdicts, failure


@pytest.mark.parametrize(
    ("function", "run"),
    [pytest.param(name, run, id=f"{name}-{run.name}") for name in FUNCTION_NAMES for run in runs_of(name)],
)
def test_a_function_does_its_work_under_its_own_role(stack: Stack, function: str, run: Run) -> None:
    verdicts, failure = do(stack, run, function, whole_role(function))

    assert not verdicts.refused
    if failure:
        raise failure


def taken_away() -> Iterator[object]:
    """Each thing that can be taken from a function's own policies: what is left, and the statement it was in."""
    for function in FUNCTION_NAMES:
        policies = policies_of(role_of(function))
        own = [(name, statements) for name, statements in policies.items() if not name.startswith(AWS)]
        attached = tuple(one for name, statements in policies.items() if name.startswith(AWS) for one in statements)
        for taken, rest, statement in less_by_one(own):
            yield pytest.param(function, (*rest, *attached), statement, id=f"{function}-without-{taken}")


@cache
def asked_by(stack: Stack, function: str, run: Run) -> tuple[Ask, ...]:
    """Return what a run asks IAM for when nothing is refused."""
    stack.empty()
    verdicts, _ = do(stack, run, function, whole_role(function))
    return tuple(verdicts.asked)


@pytest.mark.parametrize(("function", "rest", "statement"), [*taken_away()])
def test_a_function_fails_with_any_one_thing_taken_away(
    stack: Stack, function: str, rest: tuple[Statement, ...], statement: Statement
) -> None:
    """The run is the first that asks for what only the whole statement gives."""
    needing = (
        run for run in runs_of(function) if not all(is_allowed(rest, ask) for ask in asked_by(stack, function, run))
    )
    run = next(needing, None)
    assert run, (
        f"no run of {function} needs it: show the run that does in function_runs.py, or take it from the template"
    )

    stack.empty()
    verdicts, failure = do(stack, run, function, rest)

    assert verdicts.refused
    assert all(statement.fits(ask) and not is_allowed(rest, ask) for ask in verdicts.refused)
    assert failure, f"{run.name} does not mind"
