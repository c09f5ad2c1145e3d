"""The base of every contract model."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

# AWS: an execution name has at most 80 characters; for CloudWatch Logs only these.
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
TaskId = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_-]{1,80}$")]


class Contract(BaseModel):
    """A strict, frozen model: what the contract does not name is refused, not dropped."""

    model_config = ConfigDict(extra="forbid", frozen=True)
