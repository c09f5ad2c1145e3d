"""Step Functions of the local stack: the project's own engine, with the state machines that were deployed.

CloudFormation of the AWS stand-in makes the machines in the stand-in's own Step Functions; they are made
again in the engine, under the same ARNs, so that whoever was deployed with an ARN finds the machine there.
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy import DeployError
from deploy.local.aws.stand_in import ACCOUNT, REGION, LocalAws, wait_until_it_answers
from deploy.local.processes import Processes

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

ENGINE, MINISTACK = "engine", "ministack"
# The stand-in's event bus takes no events of AWS's own sources from outside.
EVENTS_SOURCE = "local.states"


class UnknownStepFunctions(DeployError):
    """STEP_FUNCTIONS names none of those there are."""


def chosen_step_functions() -> str:
    """Return which Step Functions the stack gets, by STEP_FUNCTIONS. Raises UnknownStepFunctions."""
    name = os.environ.get("STEP_FUNCTIONS", "") or ENGINE
    if name not in (ENGINE, MINISTACK):
        raise UnknownStepFunctions(f"STEP_FUNCTIONS is {name!r}. Set STEP_FUNCTIONS={ENGINE} or {MINISTACK}.")
    return name


def start_engine(processes: Processes, folder: Path, aws: LocalAws, *, skippable: bool = False) -> None:
    """Start the engine at the stack's ``sfn_endpoint`` and return once it answers.

    Its executions of the last time, in ``engine.sqlite3``, go on at once: the functions have to be there.
    ``skippable``: its time can be moved, by ``skip_time``.
    """
    port = aws.sfn_endpoint.rsplit(":", 1)[-1]
    command = [
        sys.executable,
        "-m",
        "asl_engine",
        "serve",
        "--port",
        port,
        "--db",
        str(folder / "engine.sqlite3"),
    ]
    command += ["--region", REGION, "--account", ACCOUNT, "--status-events", EVENTS_SOURCE]
    command += ["--skippable"] if skippable else []
    environment = {**aws.environment, "PATH": os.environ.get("PATH", os.defpath), "PYTHONUNBUFFERED": "1"}
    processes.start("engine", command, folder / "logs" / "engine.log", environment)
    wait_until_it_answers(aws.sfn_endpoint, processes.check)


def copy_state_machines(aws: LocalAws, wait_scale: float = 1.0) -> list[str]:
    """Make the deployed state machines in the engine too, or bring them up to date; return their names.

    ``wait_scale`` below 1 shortens what is waited between tries.
    """
    deployed, engine, names = aws.deployed_step_functions, aws.step_functions, []
    for arn in _machine_arns(deployed):
        machine = deployed.describe_state_machine(stateMachineArn=arn)
        definition = hasten(json.loads(machine["definition"]), wait_scale)
        text = json.dumps(definition, indent=2)
        try:
            engine.create_state_machine(
                name=machine["name"], definition=text, roleArn=machine["roleArn"], type=machine["type"]
            )
        except engine.exceptions.StateMachineAlreadyExists:  # of the last time, and not as it is now
            engine.update_state_machine(stateMachineArn=arn, definition=text, roleArn=machine["roleArn"])
        names.append(machine["name"])
    return names


def hasten(definition: Any, wait_scale: float) -> Any:
    """Return a definition whose retriers wait for a part of their time, a second at the least."""
    if isinstance(definition, list):
        return [hasten(item, wait_scale) for item in definition]
    if not isinstance(definition, dict) or wait_scale >= 1:
        return definition
    hastened = {key: hasten(value, wait_scale) for key, value in definition.items()}
    for retrier in hastened.get("Retry", []):
        interval = max(1, round(retrier.get("IntervalSeconds", 1) * wait_scale))
        retrier["IntervalSeconds"] = interval
        if "MaxDelaySeconds" in retrier:
            retrier["MaxDelaySeconds"] = max(interval + 1, round(retrier["MaxDelaySeconds"] * wait_scale))
    return hastened


def _machine_arns(deployed: "SFNClient") -> Iterator[str]:
    for page in deployed.get_paginator("list_state_machines").paginate():
        for machine in page["stateMachines"]:
            yield machine["stateMachineArn"]
