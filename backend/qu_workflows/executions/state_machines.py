"""A state machine as Step Functions has it: its definition, its versions, and where its aliases lead.

Four calls for a page, kept for half a minute in this process. When Step Functions is not reached, throttles, or lets
us not ask, that is said in a sentence; nothing here raises for it.
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-state-machine-alias.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Event
from typing import Any

from qu_workflows.caching import Cache
from qu_workflows.executions.step_functions import ask
from qu_workflows.protocol.refusals import OperationRefused

LIVE = "live"  # the alias that the dispatcher starts executions by
SHOWN_VERSIONS = 20
_KEPT_SECONDS, _UNANSWERED_SECONDS = 30.0, 10.0
_AT_ONCE = Event()  # set: a page does not wait out a throttling
_AT_ONCE.set()


@dataclass(frozen=True)
class Version:
    """A published version of a state machine."""

    number: str
    created_at: datetime


@dataclass(frozen=True)
class Route:
    """The share of executions, in percent, that an alias starts on a version."""

    version: str
    weight: int


@dataclass(frozen=True)
class Alias:
    """A name by which executions are started."""

    name: str
    routes: tuple[Route, ...]
    updated_at: datetime | None


@dataclass(frozen=True)
class Deployed:
    """What Step Functions says of a state machine; ``unanswered`` is why it says nothing, or not all.

    ``definition`` is that of the version to which the alias "live" leads, today's where there is no such alias.
    """

    arn: str = ""
    definition: Mapping[str, Any] | None = None
    versions: tuple[Version, ...] = ()
    aliases: tuple[Alias, ...] = ()
    unanswered: str = ""

    @property
    def live_version(self) -> str:
        """The version on which the alias "live" starts most executions, "" if that is not known."""
        live = next((alias for alias in self.aliases if alias.name == LIVE), None)
        return max(live.routes, key=lambda route: route.weight).version if live and live.routes else ""


def state_machine_arn(execution_arn: str) -> str:
    """Return the ARN of the state machine of an execution."""
    machine, _colon, _name = execution_arn.rpartition(":")
    return machine.replace(":execution:", ":stateMachine:", 1)


def deployed(arn: str) -> Deployed:
    """Return what Step Functions says of a state machine, at most half a minute old. Raises nothing."""
    cached = _cache.get(arn)
    return cached.value or Deployed(arn, unanswered=cached.unanswered)


def clear_state_machines() -> None:
    """Forget every state machine."""
    _cache.clear()


def _read(arn: str, _before: Deployed | None) -> Deployed:
    aliases: tuple[Alias, ...] = ()
    versions: tuple[Version, ...] = ()
    try:
        aliases = _aliases(arn)
        versions = _versions(arn)
        live = Deployed(arn, aliases=aliases).live_version
        definition = _definition(f"{arn}:{live}" if live else arn)
    except OperationRefused as refused:
        return Deployed(arn, None, versions, aliases, str(refused))
    return Deployed(arn, definition, versions, aliases)


_cache: Cache[str, Deployed] = Cache(
    "Step Functions", _read, lambda found: _UNANSWERED_SECONDS if found.unanswered else _KEPT_SECONDS
)


def _definition(arn: str) -> Mapping[str, Any] | None:
    shown = ask(arn, lambda client: client.describe_state_machine(stateMachineArn=arn), _AT_ONCE)
    try:
        found: Mapping[str, Any] = json.loads(shown["definition"])
    except ValueError:
        return None
    return found


def _versions(arn: str) -> tuple[Version, ...]:
    shown = ask(
        arn,
        lambda client: client.list_state_machine_versions(stateMachineArn=arn, maxResults=SHOWN_VERSIONS),
        _AT_ONCE,
    )
    return tuple(
        Version(each["stateMachineVersionArn"].rpartition(":")[2], each["creationDate"])
        for each in shown["stateMachineVersions"]
    )


def _aliases(arn: str) -> tuple[Alias, ...]:
    """Return the aliases. Each is asked for by itself: a list does not say where they lead."""
    shown = ask(arn, lambda client: client.list_state_machine_aliases(stateMachineArn=arn), _AT_ONCE)
    return tuple(_alias(each["stateMachineAliasArn"]) for each in shown["stateMachineAliases"])


def _alias(arn: str) -> Alias:
    shown = ask(arn, lambda client: client.describe_state_machine_alias(stateMachineAliasArn=arn), _AT_ONCE)
    routes = tuple(
        Route(each["stateMachineVersionArn"].rpartition(":")[2], each["weight"])
        for each in shown["routingConfiguration"]
    )
    return Alias(shown["name"], routes, shown.get("updateDate"))
