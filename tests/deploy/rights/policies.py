"""IAM's way to decide, as far as this project's policies go.

A request is allowed when a statement with "Allow" fits and none with "Deny" does. A statement fits by its actions,
its resources and every one of its conditions. What is written here and not known to this module raises, so that
no unread element grants anything.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

_ELEMENTS = frozenset({"Sid", "Effect", "Action", "Resource", "Condition"})


type Role = tuple["Statement", ...]


@dataclass(frozen=True)
class Ask:
    """A request to IAM: an action, a resource, and values of condition keys."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}" + (f" with {dict(self.context)}" if self.context else "")


@dataclass(frozen=True)
class Statement:
    """One statement of a policy, every intrinsic function in it resolved."""

    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: Mapping[str, Mapping[str, Any]] = field(hash=False)

    def fits(self, ask: Ask, *, conditions: bool = True) -> bool:
        """Return whether the statement is about what is asked; ``conditions`` False looks past its conditions."""
        return (
            any(matches(pattern, ask.action, ignore_case=True) for pattern in self.actions)
            and any(matches(pattern, ask.resource) for pattern in self.resources)
            and (not conditions or all(_holds(*condition, ask.context) for condition in self.conditions.items()))
        )

    def lesser(self) -> Iterator[tuple[str, "Statement | None"]]:
        """Yield each part and the statement without it, the whole statement first."""
        named = "+".join(self.actions)
        yield named, None
        if len(self.actions) > 1:
            for action in self.actions:
                yield action, replace(self, actions=_without(self.actions, action))
        if len(self.resources) > 1:
            for resource in self.resources:
                yield f"{named}@{_end(resource)}", replace(self, resources=_without(self.resources, resource))
        for operator, keys in self.conditions.items():
            for key, values in keys.items():
                for value in _several(values) if len(_several(values)) > 1 else ():
                    less = {**self.conditions, operator: {**keys, key: list(_without(_several(values), value))}}
                    yield f"{named}@{key}={value}", replace(self, conditions=less)


def less_by_one(whole: Role) -> Iterator[tuple[str, Role]]:
    """Yield each single part of the statements, and the statements without it."""
    for index, statement in enumerate(whole):
        for taken, left in statement.lesser():
            yield taken, (*whole[:index], *([left] if left else []), *whole[index + 1 :])


def read_statement(given: Mapping[str, Any]) -> Statement:
    """Read a statement of an identity's policy. Raises ValueError for an unknown element."""
    if unknown := given.keys() - _ELEMENTS:
        raise ValueError(f"a statement has {', '.join(sorted(unknown))}. Teach tests/deploy/rights/policies.py it.")
    return Statement(
        given["Effect"], _several(given["Action"]), _several(given["Resource"]), given.get("Condition", {})
    )


def is_allowed(statements: Iterable[Statement], ask: Ask, *, conditions: bool = True) -> bool:
    """Return whether a role with these statements gets what it asks for."""
    fitting = {statement.effect for statement in statements if statement.fits(ask, conditions=conditions)}
    return fitting == {"Allow"}


def matches(pattern: str, text: str, *, ignore_case: bool = False) -> bool:
    """Return whether a text matches a pattern with ``*`` and ``?``."""
    regular = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    return re.fullmatch(regular, text, re.DOTALL | (re.IGNORECASE if ignore_case else 0)) is not None


def _several(given: str | list[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _without(values: tuple[str, ...], value: str) -> tuple[str, ...]:
    return tuple(one for one in values if one != value)


def _end(arn: str) -> str:
    """Return the distinctive part of an ARN."""
    return arn.split(":", 5)[-1].removeprefix("stateMachine:")


def _holds(operator: str, wanted: Mapping[str, Any], context: Mapping[str, str]) -> bool:
    """Return whether each key of a condition is present with one of its values."""
    plain = operator.removesuffix("IfExists")
    if plain not in _OPERATORS:
        raise ValueError(f"the condition operator {operator} is not known. Teach tests/deploy/rights/policies.py it.")
    by_key = {key.lower(): value for key, value in context.items()}
    return all(
        any(_OPERATORS[plain](value, by_key[key.lower()]) for value in _several(values))
        if key.lower() in by_key
        else plain != operator
        for key, values in wanted.items()
    )


_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda wanted, given: wanted == given,
    "StringLike": matches,
    "ArnEquals": matches,  # it takes wildcards, too
    "ArnLike": matches,
    "Bool": lambda wanted, given: wanted.lower() == given.lower(),
}
