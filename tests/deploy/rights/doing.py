"""Doing runs under a role, and finding what of the role none of them needs."""

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from inspect import isgeneratorfunction

from django.db import transaction

from tests.deploy.rights.policies import Ask, Role, is_allowed, less_by_one
from tests.deploy.rights.stack import Stack

# Prepares a run under no role up to its ``yield``, and does it under the role after that.
type Steps = Callable[[Stack, str], Generator[None]]
type Surroundings = Callable[[str], AbstractContextManager[None]]


@dataclass(frozen=True)
class Run:
    """One run for functions or people. It raises if its work fails."""

    name: str
    of: tuple[str, ...]
    steps: Steps


class Runs(list[Run]):
    """The runs of one module."""

    def of(self, *who: str) -> Callable[[Steps], Steps]:
        """Make a run of a generator function, for each of these functions or people."""

        def decorate(steps: Steps) -> Steps:
            assert isgeneratorfunction(steps)
            self.append(Run(steps.__name__, who, steps))
            return steps

        return decorate

    def for_(self, who: str) -> list[Run]:
        """Return the runs of one function or person."""
        return [run for run in self if who in run.of]


@cache
def asked_by(stack: Stack, run: Run, who: str, role: Role, within: Surroundings) -> Sequence[Ask]:
    """Do a run under a role and return its requests; fail on a refusal."""
    stack.empty()
    with within(who), _rolled_back():
        steps = run.steps(stack, who)
        next(steps)
        with stack.judge.under(role) as verdicts:
            assert next(steps, "the end") == "the end"
    assert not verdicts.refused, verdicts.refused  # code that continues after a refusal
    return tuple(verdicts.asked)


def needed_by_none(asked: Iterable[Ask], role: Role, rest: Role = ()) -> list[str]:
    """Return the parts of a role that no request needs, one at a time.

    ``rest`` is what it has beside: of that nothing is taken.
    """
    asked = {(one.action, one.resource, *one.context.items()): one for one in asked}.values()
    return [taken for taken, left in less_by_one(role) if all(is_allowed((*left, *rest), one) for one in asked)]


@contextmanager
def _rolled_back() -> Generator[None]:
    """Roll back all writes, durable transactions included."""
    block = transaction.atomic()
    block._from_testcase = True  # type: ignore[attr-defined]  # what Django's TestCase sets
    with block:
        yield
        transaction.set_rollback(True)
