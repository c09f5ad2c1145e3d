"""Names and ARNs: how they are made, read and refused."""

import re
import unicodedata
from dataclasses import dataclass

from asl_engine.server.api_errors import api_error

# https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html ("name must not contain")
_FORBIDDEN_IN_NAME = re.compile(r'[\s<>{}\[\]?*"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]')
_VERSION = re.compile(r"[0-9]+")


def check_name(name: str) -> str:
    """Return a name that AWS takes. Raises InvalidName for another."""
    if _FORBIDDEN_IN_NAME.search(name) or any(unicodedata.category(letter) == "Cn" for letter in name):
        raise api_error("InvalidName", name)
    return name


@dataclass(frozen=True, slots=True)
class Account:
    """Whose resources, and where."""

    region: str = "us-east-1"
    account: str = "000000000000"
    partition: str = "aws"

    def arn(self, kind: str, *parts: str) -> str:
        """Return the ARN of a resource: ``stateMachine``, ``execution``, ``express``, ``activity``, ``mapRun``."""
        return ":".join(("arn", self.partition, "states", self.region, self.account, kind, *parts))


@dataclass(frozen=True, slots=True)
class StatesArn:
    """A Step Functions ARN taken apart. ``parts`` is all behind the kind of resource."""

    text: str
    kind: str
    parts: tuple[str, ...]

    @property
    def state_machine(self) -> str:
        """The ARN of the state machine itself, without version or alias."""
        return ":".join([*self.text.split(":")[:6], self.parts[0]])

    @property
    def qualifier(self) -> str | None:
        """A state machine's version number or alias."""
        return self.parts[1] if len(self.parts) > 1 else None

    @property
    def is_version(self) -> bool:
        """Whether the qualifier is a version."""
        return self.qualifier is not None and _VERSION.fullmatch(self.qualifier) is not None


def parse_arn(text: str, *kinds: str) -> StatesArn:
    """Take an ARN apart. Raises InvalidArn when it is none, or not one of the given kinds of resource."""
    if not text.startswith("arn:"):
        raise api_error("InvalidArn", f"Invalid ARN prefix: {text}")
    fields = text.split(":")
    if len(fields) < 7 or not fields[6]:
        raise api_error("InvalidArn", f"Invalid ARN: {text}")
    if fields[2] != "states":
        raise api_error("InvalidArn", f"Invalid service in ARN: {fields[2]}")
    if fields[5] not in kinds:
        raise api_error("InvalidArn", f"Resource type not valid in this context: {fields[5]}")
    return StatesArn(text, fields[5], tuple(fields[6:]))
