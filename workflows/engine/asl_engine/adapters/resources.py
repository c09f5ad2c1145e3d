"""A Task state's Resource, read: what performs it, and how its end is told."""

import re
from dataclasses import dataclass
from enum import StrEnum


class ResourceKind(StrEnum):
    """What performs a task."""

    FUNCTION = "function"  # a Lambda function by its ARN
    ACTIVITY = "activity"  # workers that ask for it
    SERVICE = "service"  # an optimised integration, arn:…:states:::service:action
    SDK = "sdk"  # arn:…:states:::aws-sdk:service:action
    LOCAL = "local"  # anything else: a function of this process by its name


@dataclass(frozen=True, slots=True)
class Resource:
    """``pattern`` is "", "sync", "sync:2" or "waitForTaskToken"; ``name`` is a function's or activity's own."""

    kind: ResourceKind
    service: str = ""
    action: str = ""
    pattern: str = ""
    name: str = ""

    @property
    def submits(self) -> bool:
        """Whether the call only submits the task, and its end is told later."""
        return bool(self.pattern)


_INTEGRATION = re.compile(
    r"arn:[\w-]+:states:[\w-]*:\d*:(?P<sdk>aws-sdk:)?(?P<service>[\w-]+):(?P<action>[^.:]+)(?:\.(?P<pattern>\S+))?"
)
_FUNCTION = re.compile(r"arn:[\w-]+:lambda:[\w-]*:\d*:function:(?P<name>\S+)")
_ACTIVITY = re.compile(r"arn:[\w-]+:states:[\w-]*:\d*:activity:(?P<name>\S+)")


def parse_resource(text: str) -> Resource:
    """Return what a Resource names. Any text is something: what is no ARN of AWS is a local function's name."""
    if match := _FUNCTION.fullmatch(text):
        return Resource(ResourceKind.FUNCTION, name=match["name"])
    if match := _ACTIVITY.fullmatch(text):
        return Resource(ResourceKind.ACTIVITY, name=match["name"])
    if match := _INTEGRATION.fullmatch(text):
        kind = ResourceKind.SDK if match["sdk"] else ResourceKind.SERVICE
        return Resource(kind, match["service"], match["action"], match["pattern"] or "")
    return Resource(ResourceKind.LOCAL, name=text)
