"""AWS of the local stack: ministack, the project's engine as Step Functions, and boto3 clients.

CloudFormation creates the state machines in ministack's own Step Functions; they are copied into the engine under the
same ARNs.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.config import Config

from deploy import DeployError
from deploy.local.aws.lambda_runtime import LOG_FILE_VARIABLE, RUNTIME_PACKAGES_VARIABLE
from deploy.local.aws.ministack_server import INSTANCES_VARIABLE
from deploy.local.processes import Processes

REGION: Final = "us-east-2"
ACCOUNT: Final = "000000000000"  # of the credentials below
START_TIMEOUT_SECONDS = 60
INSTANCES_PER_FUNCTION = max(2, os.cpu_count() or 2)
# Not secret: nothing but 127.0.0.1 can be reached with them. The id gives the account 000000000000.
KEY_ID, SECRET_KEY = "test", "test"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
ENGINE, MINISTACK = "engine", "ministack"
# ministack's event bus refuses events with AWS's own sources from outside.
EVENTS_SOURCE = "local.states"


class AwsNotReady(DeployError):
    """A server of the local stack did not answer in time."""


class UnknownStepFunctions(DeployError):
    """STEP_FUNCTIONS has an unknown value."""


def chosen_step_functions() -> str:
    """Return the value of STEP_FUNCTIONS. Raises UnknownStepFunctions."""
    name = os.environ.get("STEP_FUNCTIONS", "") or ENGINE
    if name not in (ENGINE, MINISTACK):
        raise UnknownStepFunctions(f"STEP_FUNCTIONS is {name!r}. Set STEP_FUNCTIONS={ENGINE} or {MINISTACK}.")
    return name


class LocalAws:
    """Endpoints of the local AWS and a client for each service."""

    def __init__(self, endpoint: str, sfn_endpoint: str, ses_endpoint: str) -> None:
        self.endpoint, self.sfn_endpoint, self.ses_endpoint = endpoint, sfn_endpoint, ses_endpoint
        session = boto3.Session(KEY_ID, SECRET_KEY, region_name=REGION)
        # No retries: an invocation must not run twice without its caller's knowledge.
        once = Config(retries={"total_max_attempts": 1}, read_timeout=120, max_pool_connections=32)
        self.cloudformation = session.client("cloudformation", endpoint_url=endpoint)
        self.functions = session.client("lambda", endpoint_url=endpoint, config=once)
        self.s3 = session.client("s3", endpoint_url=endpoint)
        self.scheduler = session.client("scheduler", endpoint_url=endpoint)
        self.secrets = session.client("secretsmanager", endpoint_url=endpoint)
        self.sqs = session.client("sqs", endpoint_url=endpoint)
        self.step_functions = session.client("stepfunctions", endpoint_url=sfn_endpoint)
        # CloudFormation deploys state machines to ministack's own Step Functions.
        self.deployed_step_functions = session.client("stepfunctions", endpoint_url=endpoint)

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that direct boto3 to the local AWS alone."""
        return {
            **CREDENTIALS,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ENDPOINT_URL_SFN": self.sfn_endpoint,
            "AWS_ENDPOINT_URL_SESV2": self.ses_endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,  # no profile of this machine
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }


def endpoint_of(port: int) -> str:
    """Return the endpoint of a port on 127.0.0.1."""
    return f"http://127.0.0.1:{port}"


def start_aws(
    processes: Processes,
    folder: Path,
    port: int,
    ses_endpoint: str,
    packages_dir: Path,
    *,
    sfn_endpoint: str | None = None,
    keeps_files: bool,
    wait_scale: float = 1.0,
) -> LocalAws:
    """Start ministack and return once it answers. Raises AwsNotReady or ProcessEnded.

    ``packages_dir`` contains the packages of Lambda's runtime. ``sfn_endpoint`` is the engine's, if it replaces
    ministack's Step Functions. ``keeps_files``: S3 objects survive a restart.
    """
    endpoint = endpoint_of(port)
    aws = LocalAws(endpoint, sfn_endpoint or endpoint, ses_endpoint)
    state, logs, scratch = folder / "ministack", folder / "logs", folder / "ministack" / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    environment = {
        **aws.environment,
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "S3_PERSIST": "1" if keeps_files else "0",
        "S3_DATA_DIR": str(state / "s3"),
        "SFN_WAIT_SCALE": str(wait_scale),
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "DOCKER_HOST": f"unix://{scratch}/no-docker.sock",  # it would remove the machine's own containers
        "LOG_LEVEL": "INFO",
        "LAMBDA_ACCOUNT_CONCURRENCY": "0",  # unbounded: invocations wait instead
        INSTANCES_VARIABLE: str(INSTANCES_PER_FUNCTION),
        # Read by the bootstrap of the functions, which inherit ministack's environment.
        "QU_PYTHON": sys.executable,
        "QU_LAMBDA_RUNTIME": str(Path(__file__).with_name("lambda_runtime.py")),
        LOG_FILE_VARIABLE: str(logs / "functions.log"),
        RUNTIME_PACKAGES_VARIABLE: str(packages_dir),
    }
    command = [sys.executable, "-m", "deploy.local.aws.ministack_server"]
    processes.start("ministack", command, logs / "ministack.log", environment)
    wait_until_it_answers(f"{endpoint}/_ministack/health", processes.check)
    return aws


def wait_until_it_answers(url: str, check: Callable[[], None]) -> None:
    """Return once a URL gives any response. Raises AwsNotReady after a minute; calls ``check`` meanwhile."""
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        check()
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310  our own http://127.0.0.1
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise AwsNotReady(
        f"{url} did not answer within {START_TIMEOUT_SECONDS} s. See the logs of the stack, in .local/logs for make up."
    )


def start_engine(processes: Processes, folder: Path, aws: LocalAws, *, skippable: bool = False) -> None:
    """Start the engine at ``sfn_endpoint`` and return once it answers.

    Deploy the functions first: executions saved in ``engine.sqlite3`` continue at once. ``skippable``: ``skip_time``
    can advance its time.
    """
    port, database = aws.sfn_endpoint.rsplit(":", 1)[-1], folder / "engine.sqlite3"
    command = [sys.executable, "-m", "asl_engine", "serve", "--port", port, "--db", str(database)]
    command += ["--region", REGION, "--account", ACCOUNT, "--status-events", EVENTS_SOURCE]
    command += ["--skippable"] if skippable else []
    environment = {**aws.environment, "PATH": os.environ.get("PATH", os.defpath), "PYTHONUNBUFFERED": "1"}
    processes.start("engine", command, folder / "logs" / "engine.log", environment)
    wait_until_it_answers(aws.sfn_endpoint, processes.check)


def copy_state_machines(aws: LocalAws, wait_scale: float = 1.0) -> list[str]:
    """Create or update the deployed state machines in the engine; return their names.

    ``wait_scale`` below 1 shortens the intervals of retriers.
    """
    deployed, engine, names = aws.deployed_step_functions, aws.step_functions, []
    pages = deployed.get_paginator("list_state_machines").paginate()
    for arn in [machine["stateMachineArn"] for page in pages for machine in page["stateMachines"]]:
        machine = deployed.describe_state_machine(stateMachineArn=arn)
        definition = hasten(json.loads(machine["definition"]), wait_scale)
        text = json.dumps(definition, indent=2)
        try:
            engine.create_state_machine(
                name=machine["name"], definition=text, roleArn=machine["roleArn"], type=machine["type"]
            )
        except engine.exceptions.StateMachineAlreadyExists:  # of an earlier start
            engine.update_state_machine(stateMachineArn=arn, definition=text, roleArn=machine["roleArn"])
        names.append(machine["name"])
    return names


def hasten(definition: Any, wait_scale: float) -> Any:
    """Return a definition whose retriers wait a fraction of their time, at least a second."""
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
