"""The context object, and the environment of a state's expressions.

https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html
"""

from collections.abc import Mapping
from typing import Any

from asl_engine.core.execution import Branch
from asl_engine.core.work import Work
from asl_engine.jsontext import Json
from asl_engine.language.env import Env
from asl_engine.language.times import print_timestamp


def context_object(work: Work, branch: Branch) -> dict[str, Json]:
    """Return the context object as the branch's state sees it."""
    if work.given_context is not None:
        return work.given_context
    execution = work.execution
    about: dict[str, Json] = {
        "Id": execution.arn,
        "Input": execution.input,
        "Name": execution.name,
        "RoleArn": execution.role_arn,
        "StartTime": print_timestamp(execution.start_ms),
        "RedriveCount": execution.redrive_count,
    }
    if execution.redrive_ms is not None:
        about["RedriveTime"] = print_timestamp(execution.redrive_ms)
    context: dict[str, Json] = {
        "Execution": about,
        "StateMachine": {"Id": execution.state_machine_arn, "Name": execution.state_machine_arn.split(":")[6]},
        "State": {
            "Name": branch.state,
            "EnteredTime": print_timestamp(branch.entered_ms),
            "RetryCount": sum(branch.retries.values()),
        },
    }
    if branch.task_token is not None:
        context["Task"] = {"Token": branch.task_token}
    item = _item_around(work, branch)
    if item is not None:
        context["Map"] = {"Item": item}
    return context


def _item_around(work: Work, branch: Branch) -> Json:
    within: Branch | None = branch
    while within is not None:
        if within.is_item:
            return {"Index": within.index, "Value": within.item}
        within = work.execution.branches[within.parent_id] if within.parent_id is not None else None
    return work.execution.map_item


class StateEnv(Env):
    """What a state's expressions may look at. The context object and ``$states`` are built by the first look."""

    __slots__ = ("_branch", "_context", "_extra", "_item", "_run", "_states")

    def __init__(self, work: Work, branch: Branch, value: Json, *, item: Json = None, **extra: Json) -> None:
        """Take ``value`` for ``$``; ``extra`` are the members that ``$states`` has besides input and context."""
        self.input = value
        self.variables = branch.variables
        self.random, self.uuid, self.now_ms = work.draw, work.draw_uuid, work.now_ms
        self._run, self._branch, self._item, self._extra = work, branch, item, extra
        self._context: Mapping[str, Json] | None = None
        self._states: Mapping[str, Json] | None = None

    @property
    def context(self) -> Mapping[str, Json]:  # type: ignore[override]  # read-only here
        """Return the context object."""
        if self._context is None:
            self._context = context_object(self._run, self._branch)
            if self._item is not None:
                self._context = {**self._context, "Map": {"Item": self._item}}
        return self._context

    @property
    def states(self) -> Mapping[str, Any]:  # type: ignore[override]  # read-only here
        """Return JSONata's ``$states``."""
        if self._states is None:
            self._states = {"input": self._branch.input, "context": self.context, **self._extra}
        return self._states
